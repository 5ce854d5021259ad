"""Carries out a request: a state machine without I/O, and the two drivers that perform its effects."""
