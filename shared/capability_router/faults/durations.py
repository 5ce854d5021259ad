"""Parses a wait into seconds from its many notations: 7, "7s", "6m0s", "20ms", a date, a time stamp."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

A_DAY_S = 86_400.0
_LONGEST = 64
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = r"\d{1,9}(?:\.\d{1,12})? ?(?:ms|milliseconds?|s|seconds?|secs?|m|minutes?|mins?|h|hours?|d|days?)"
_PARTS = rf"{_PART}(?:(?:,? and |, ?| )?{_PART}){{0,3}}"
_WRITTEN = re.compile(_PARTS)
_PIECE = re.compile(r"(\d{1,9}(?:\.\d{1,12})?) ?(ms|mil|s|m|h|d)")
_AGAIN = r"(?:try again|retry(?:ing)?|available again|come back)(?: your request)?(?: later)?(?: or)? (?:in|after)"
_IN_TEXT = re.compile(rf"(?:{_AGAIN}|\bwait(?: for)?|\bretry-after:?)(?: about| at least| another)? ({_PARTS})\b")
_TELLING = ("again", "retry", "wait", "come back")
"""Every text that matches the two patterns contains one of these words, and they are found in a tenth of the time."""
_BARE = re.compile(r"\bretry[-_ ]after[:=]? ?(\d{1,9})(?![\w.])")
_WHOLE = re.compile(r"\d{1,8}")
_EPOCH_S, _EPOCH_MS = 1e9, 1e11


def wait_s(told: str, now_unix: float) -> float | None:
    """Seconds from now, >= 0 and at most a day; None if the text is no wait.

    A plain number is seconds; a large one is a time stamp in seconds or milliseconds.
    """
    text = told.strip().lower() if len(told) <= _LONGEST else ""
    if not text[:1].isalnum():
        return None
    for reading in (_number, _written, _stamp, _numbers, _http_date):
        wait = reading(text, now_unix)
        if wait is not None:
            return min(wait, A_DAY_S) if math.isfinite(wait) else None
    return None


def wait_in_text(text: str) -> float | None:
    """The wait in a sentence ("Please try again in 6m0s."); `text` is lower case and bounded."""
    if not any(word in text for word in _TELLING):
        return None
    found = _IN_TEXT.search(text) or _BARE.search(text)
    return wait_s(found[1], 0.0) if found else None


def _number(text: str, now_unix: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return math.inf  # no wait, whatever else it may be read as
    if value < _EPOCH_S:
        return value
    return max((value / 1000 if value > _EPOCH_MS else value) - now_unix, 0.0)


def _numbers(text: str, _: float) -> float | None:
    """The longest of several: a gateway adds its header to the provider's, and clients join the two ("7, 9")."""
    parts = text.split(", ")
    return max(map(float, parts)) if len(parts) > 1 and all(map(_WHOLE.fullmatch, parts)) else None


def _written(text: str, _: float) -> float | None:
    if not _WRITTEN.fullmatch(text):
        return None
    return sum(float(amount) * _UNITS.get(unit, 0.001) for amount, unit in _PIECE.findall(text))


def _stamp(text: str, now_unix: float) -> float | None:
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return _until(at, now_unix)


def _http_date(text: str, now_unix: float) -> float | None:
    from email.utils import parsedate_to_datetime  # takes milliseconds to import, and dates are rare

    try:
        return _until(parsedate_to_datetime(text), now_unix)
    except (ValueError, OverflowError):  # with numbers that no date has
        return None


def _until(at: datetime, now_unix: float) -> float:
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_unix, 0.0)
