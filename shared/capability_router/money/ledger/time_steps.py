"""Points in time as people give them, and the hours, days, weeks and months of a series. All UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta

from capability_router.errors import ConfigError

Moment = datetime | date | timedelta | float | str
"""A datetime (a naive one is UTC), a date, Unix seconds, an ISO text, or an age: a timedelta, '90m', '24h', '7d'."""
STEPS = ("hour", "day", "week", "month")
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def unix_of(name: str, moment: Moment | None, now: float) -> float | None:
    """Unix seconds of a moment; None = not limited. Raises ConfigError for what is none."""
    if moment is None:
        return None
    try:
        seconds = _seconds(moment, now)
    except (ValueError, TypeError, OverflowError, OSError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ConfigError(
            f"{name}={moment!r} is no point in time; give a datetime, Unix seconds, an ISO date such as 2026-11-25, "
            "or an age such as 90m, 24h or 7d"
        )
    return seconds


def _seconds(moment: Moment, now: float) -> float:
    if isinstance(moment, str):
        age = _AGE.fullmatch(moment.strip())
        if age:
            return now - float(age[1]) * _SECONDS[age[2]]
        moment = datetime.fromisoformat(moment.strip())
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()
    if isinstance(moment, timedelta):
        return now - moment.total_seconds()
    return math.nan if isinstance(moment, bool) else float(moment)


def period(since: Moment | None, until: Moment | None, now: float) -> tuple[float | None, float | None]:
    """Both ends as Unix seconds; raises ConfigError when the end comes first."""
    begin, end = unix_of("since", since, now), unix_of("until", until, now)
    if begin is not None and end is not None and end < begin:
        raise ConfigError(f"until={until!r} lies before since={since!r}")
    return begin, end


def beginning(step: str, unix: float) -> datetime:
    """When the hour, day, week (Monday) or month of this moment began."""
    at = datetime.fromtimestamp(unix, UTC).replace(minute=0, second=0, microsecond=0)
    if step == "hour":
        return at
    at = at.replace(hour=0)
    if step == "week":
        return at - timedelta(days=at.weekday())
    return at.replace(day=1) if step == "month" else at


def label(step: str, unix: float) -> str:
    """'2026-11-25T14:00Z', '2026-11-25', '2026-W48' or '2026-11'."""
    at = beginning(step, unix)
    if step == "week":
        return "{}-W{:02}".format(*at.isocalendar()[:2])
    return f"{at:{_LABELS[step]}}"


_LABELS = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
