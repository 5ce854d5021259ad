"""A rehearsal as it is shown: text for a terminal, a page."""
