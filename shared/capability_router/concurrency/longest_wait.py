"""The longest wait that may be passed to the system.

Locks, queues and `time.sleep` raise OverflowError above some 292 years (on Windows above 49 days). A socket counts its
milliseconds in 31 bits: with a longer timeout it gives up at once, or never. No call waits that long for a model, so a
longer limit is as good as this one.
"""

from __future__ import annotations

from typing import Final

LONGEST_S: Final = 2_000_000.0
"""Seconds: 23 days."""


def at_most(seconds: float) -> float:
    """The seconds, limited to the longest wait."""
    return seconds if seconds < LONGEST_S else LONGEST_S


def limited(seconds: float | None) -> float | None:
    """As `at_most`; None (no limit) stays None."""
    return seconds if seconds is None or seconds < LONGEST_S else LONGEST_S
