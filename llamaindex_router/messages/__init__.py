"""Messages and replies, in the forms of the framework, of its partner packages and of the core."""
