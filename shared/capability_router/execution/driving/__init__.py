"""The drivers: they perform the state machine's effects, in the caller's thread or in its task."""
