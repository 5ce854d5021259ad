"""What is publicly stated about models: the built-in catalog and the user's own file, settled per field."""
