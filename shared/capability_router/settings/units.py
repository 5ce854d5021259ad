"""What one setting may hold. Each function gives the value or raises ValueError: 'must be ..., got ...'."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from capability_router.nearest import nearest

_DURATION = re.compile(r"^\s*([0-9]*\.?[0-9]+(?:[eE][-+]?\d+)?)\s*(ms|s|m|min|h)?\s*$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SHOWN = 60


def shown(value: Any) -> str:
    """The value for an error text, short; a text from the environment shows its variable only."""
    if isinstance(value, (Mapping, list, tuple, set)):
        return f"a {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _wrong(wanted: str, value: Any) -> ValueError:
    return ValueError(f"must be {wanted}, got {shown(value)}")


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):  # a whole number may be beyond all floats
        return math.nan


def seconds(value: Any) -> float:
    """A duration above 0: 5, '5s', '500ms', '2m', '1h'."""
    found = _DURATION.match(value) if isinstance(value, str) else None
    number = float(found[1]) * _SECONDS[found[2] or "s"] if found else _number(value)
    if not 0 < number < math.inf:
        raise _wrong("a duration above 0 such as 5, '5s', '500ms' or '2m'", value)
    return number


def number(least: float = 0.0, most: float = math.inf, *, above: bool = False) -> Callable[[Any], float]:
    """A finite number from `least` (or above it) to `most`."""
    span = f"above {least:g}" if above else f"{least:g} or more"
    wanted = f"a finite number, {span}" if most == math.inf else f"a number, {span} and at most {most:g}"

    def check(value: Any) -> float:
        found = _number(value)
        if not (math.isfinite(found) and least <= found <= most) or (above and found == least):
            raise _wrong(wanted, value)
        return found

    return check


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """A whole number from `least` to `most`."""
    wanted = f"a whole number, {least} or more" if most is None else f"a whole number from {least} to {most}"

    def check(value: Any) -> int:
        found = _number(value)
        if not found.is_integer() or found < least or (most is not None and found > most):
            raise _wrong(wanted, value)
        return value if type(value) is int else int(found)  # a float has not all digits of a large one

    return check


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise _wrong("a text", value)
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts."""
    listed = (value,) if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(item, str) for item in listed):
        raise _wrong("a text or a list of texts", value)
    return tuple(listed)


def choice(*known: str) -> Callable[[Any], str]:
    """One of these words; the error names the nearest."""

    def check(value: Any) -> str:
        if value not in known:
            hint = nearest(value, known, "") if isinstance(value, str) else ""
            raise ValueError(f"must be one of {', '.join(known)}, got {shown(value)}{hint}")
        return str(value)

    return check
