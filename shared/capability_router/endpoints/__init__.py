"""The built-in client for any Chat Completions server."""
