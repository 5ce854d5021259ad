"""Measurements of what the product promises; each is one command and says whether the promise is kept."""
