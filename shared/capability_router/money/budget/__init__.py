"""Budgets: caps on what is spent, reserved before a launch and settled after it."""
