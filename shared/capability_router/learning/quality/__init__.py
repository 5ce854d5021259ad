"""Which model does which request well, learned from scored answers. Needs numpy (the extra `learn`)."""
