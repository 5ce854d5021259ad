"""The machine's effects performed: in the caller's thread or in its task, one attempt or two."""
