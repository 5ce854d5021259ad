"""Where state lives between calls and processes."""
