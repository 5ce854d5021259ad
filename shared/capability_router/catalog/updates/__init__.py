"""How the user's own catalog is renewed: other lists read, their offers settled with what was known."""
