"""Faults as they are written, which models they strike, and when they hold."""
