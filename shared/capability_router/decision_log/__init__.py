"""Reads decision logs: what a valid line is, which files belong to a log, and what is left out and counted."""
