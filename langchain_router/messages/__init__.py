"""Converts messages and replies between the framework, its partner packages and the core."""
