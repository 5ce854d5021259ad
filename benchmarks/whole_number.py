"""How an option is read that says how many rounds or runs there are to be."""

from __future__ import annotations

from argparse import ArgumentTypeError


def at_least_one(told: str) -> int:
    """For argparse's `type`: a table of no round has no median."""
    if not told.isdecimal() or int(told) < 1:
        raise ArgumentTypeError(f"{told!r} is not a whole number from 1 on")
    return int(told)
