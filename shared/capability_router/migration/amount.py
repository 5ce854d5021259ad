"""Reads numbers from another program's configuration: also as texts, and with its own units."""

from __future__ import annotations

import re
from typing import Any

_SPAN = re.compile(r"^\s*(\d{1,12})\s*(mo|months?|s|seconds?|m|minutes?|h|hours?|d|days?|w|weeks?)\s*$")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_BEYOND = 1e50  # of prices per token too, which become prices per million
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "7d", "monthly": "1mo"}


def number(value: Any) -> float | None:
    """A number of 0 or more; None for anything else, and for what is beyond any amount, which no setting takes."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < _BEYOND else None


def whole(value: Any) -> int | None:
    """A whole number above 0; None for anything else."""
    found = number(value)
    return int(found) if found and found.is_integer() else None


def tidy(value: float) -> float | int:
    """Without a fraction of zero."""
    return int(value) if float(value).is_integer() else value


def span(value: Any) -> tuple[int, str] | None:
    """'30d' as (30, 'd'), 'weekly' as (7, 'd'); months are 'mo'; None for anything else."""
    text = str(value).lower() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    found = _SPAN.match(_WORDS.get(text, text))
    if found is None or not int(found[1]):
        return None
    return int(found[1]), "mo" if found[2].startswith("mo") else found[2][0]


def window(value: Any) -> str | None:
    """A span as a window of ours; None if it is not a span."""
    found = span(value)
    if found is None:
        return None
    count, unit = found
    if unit == "mo":
        return "month" if count == 1 else f"rolling:{count * 30 * 86_400}"
    seconds = count * _SECONDS[unit]
    return _CALENDAR.get(seconds) or f"rolling:{seconds}"


_CALENDAR = {60: "minute", 3_600: "hour", 86_400: "day", 604_800: "week"}
