"""What the router writes to its log, and how often."""

from __future__ import annotations

import logging
from traceback import extract_tb


def worth_logging(count: int) -> bool:
    """True for the 1st, 10th, 100th, ... of many similar events, so that the log stays short."""
    while count >= 10 and count % 10 == 0:
        count //= 10
    return count == 1


def listener_failed(log: logging.Logger, listener: object, error: Exception) -> None:
    """Log the class and place of a listener's error: 'listener show failed: ZeroDivisionError at app.py:12'.

    Its message may quote the listener's arguments. Its context may be a provider's error, which quotes the key and the
    prompt. So neither is logged.
    """
    name = getattr(listener, "__qualname__", type(listener).__name__)
    frames = extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    log.error("listener %s failed: %s at %s", name, type(error).__name__, at)
