"""A listener that raised: said in the log by class and place.

Its message may quote what it was told of, and its context is whatever the call met: a provider's error, with
the key and the prompt that it quotes. So neither is logged.
"""

from __future__ import annotations

import logging
from traceback import extract_tb


def failed(log: logging.Logger, listener: object, error: Exception) -> None:
    """'listener show failed: ZeroDivisionError at app.py:12'."""
    name = getattr(listener, "__qualname__", type(listener).__name__)
    frames = extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    log.error("listener %s failed: %s at %s", name, type(error).__name__, at)
