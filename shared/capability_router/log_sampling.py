"""Which of many like events the log tells of, so that it stays short."""

from __future__ import annotations


def worth_logging(count: int) -> bool:
    """True for the first, the tenth, the hundredth, ... of them."""
    while count >= 10 and count % 10 == 0:
        count //= 10
    return count == 1
