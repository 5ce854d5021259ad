"""Decision records, logs and traces of what a router does."""
