"""The longest wait that is asked of the system at once.

Locks, queues and `time.sleep` raise OverflowError from some 292 years on (on Windows from 49 days). A socket counts its
milliseconds in 31 bits: with a longer timeout it gives up at once, or never. Nobody waits that long for a model, so a
longer limit is as good as this one.
"""

from __future__ import annotations

from typing import Final

LONGEST_S: Final = 2_000_000.0
"""Seconds: 23 days."""


def at_most(seconds: float) -> float:
    """The seconds, or the longest wait."""
    return seconds if seconds < LONGEST_S else LONGEST_S


def limited(seconds: float | None) -> float | None:
    """As `at_most`; None, no limit, stays None."""
    return seconds if seconds is None or seconds < LONGEST_S else LONGEST_S
