"""How options are read that say how much is measured."""

from __future__ import annotations

from argparse import ArgumentTypeError
from math import isfinite


def at_least_one(told: str) -> int:
    """For argparse's `type`: a table of no round has no median."""
    if not told.isdecimal() or int(told) < 1:
        raise ArgumentTypeError(f"{told!r} is not a whole number from 1 on")
    return int(told)


def above_nothing(told: str) -> float:
    """For argparse's `type`: a share of the full counts, or seconds."""
    try:
        found = float(told)
    except ValueError:
        found = 0.0
    if not (isfinite(found) and found > 0.0):
        raise ArgumentTypeError(f"{told!r} is not a number above 0")
    return found
