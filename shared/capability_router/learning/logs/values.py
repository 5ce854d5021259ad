"""Numbers and names as logs hold them. Any other value counts as missing; nothing is raised."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

MOST_OF_A_NAME = 200
NO_SCORE = "scores that are no number from 0 to 1"
"""Why an answer is left out that has something else for a score."""


def score_of(value: object) -> float | None:
    """A score as it was written; None for what is no number from 0 to 1."""
    number = float(value) if isinstance(value, bool) else number_of(value)
    return number if number is not None and number <= 1.0 else None


def number_of(value: object) -> float | None:
    """A number of at least 0, also one written as text; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is, it is a number or it is not
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def tokens_of(value: object) -> int | None:
    """A count of at most ten million; None for what is none."""
    number = number_of(value)
    return round(number) if number is not None and number <= 1e7 else None


def usd_of(value: object) -> float | None:
    """A cost of at most a million USD; None for what is none."""
    number = number_of(value)
    return number if number is not None and number <= 1e6 else None


def name_of(value: object) -> str:
    """A name or an id, in at most 200 characters; "" for what is none. A longer one ends in a digest of itself."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a table's column of numbers with gaps
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 1 << 64 else ""
    if not isinstance(value, str) or len(value) <= MOST_OF_A_NAME:
        return value if isinstance(value, str) else ""
    digest = blake2b(value.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"{value[: MOST_OF_A_NAME - len(digest) - 1]}~{digest}"


def names_of(value: object) -> tuple[str, ...]:
    """A list of names; of a text, its parts between commas."""
    parts: Any = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ()
    return tuple(name for part in parts if (name := name_of(part).strip()))
