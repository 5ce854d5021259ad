"""Which of many similar events are logged, so that the log stays short."""

from __future__ import annotations


def worth_logging(count: int) -> bool:
    """True for the 1st, 10th, 100th, ... event."""
    while count >= 10 and count % 10 == 0:
        count //= 10
    return count == 1
