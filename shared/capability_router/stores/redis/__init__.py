"""A store in Redis, for processes on several machines."""
