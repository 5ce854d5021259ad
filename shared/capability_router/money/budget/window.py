"""The windows of budgets: calendar units in UTC, all time ("total"), or a number of past seconds ("rolling:60")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

WINDOWS = ("minute", "hour", "day", "week", "month", "total")
_FIXED = {"minute": 60, "hour": 3_600, "day": 86_400}


class WindowSpan(NamedTuple):
    """A window: its name, its start and its end in Unix seconds; None = unbounded."""

    id: str
    starts: float | None = None
    ends: float | None = None


ALWAYS = WindowSpan("")


def rolling_s(window: str) -> float | None:
    """The seconds of a rolling window: 60.0 of "rolling:60"; None = another window, or an invalid number."""
    kind, _, seconds = window.partition(":")
    plain = seconds.isascii() and seconds.replace(".", "", 1).isdigit()
    return float(seconds) if kind == "rolling" and plain else None


def span(window: str, unix: float) -> WindowSpan:
    """The window of this kind that contains this time."""
    if window in _FIXED:
        starts = unix // _FIXED[window] * _FIXED[window]
        return WindowSpan(f"{datetime.fromtimestamp(starts, UTC):{_NAMES[window]}}", starts, starts + _FIXED[window])
    if window not in ("week", "month"):
        return ALWAYS
    day = datetime.fromtimestamp(unix, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "week":
        first = day - timedelta(days=day.weekday())
        return WindowSpan(
            "{}-W{:02}".format(*day.isocalendar()[:2]), first.timestamp(), (first + timedelta(7)).timestamp()
        )
    first = day.replace(day=1)
    return WindowSpan(f"{first:%Y-%m}", first.timestamp(), (first + timedelta(32)).replace(day=1).timestamp())


_NAMES = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d"}
