"""Faults as they are written, whom they mean, and when they hold."""
