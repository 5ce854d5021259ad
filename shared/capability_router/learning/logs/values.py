"""Numbers and names as logs hold them. Any other value counts as missing; nothing is raised."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

MOST_OF_A_NAME = 200
UNSCORED = "answers without a score"
OUTSIDE = "scores outside 0 to 1"
NO_SCORE = "scores that are no number"
SCALES = (
    "Map every score to 0 to 1: +1 and -1 to 1 and 0, grades of 1 to 5 by (grade - 1) / 4, of 0 to 100 by grade / 100"
)
"""What to do with scores of another scale."""
NEGATIVE_COST = "costs below 0"
NO_COST = "costs that are no number of USD up to 1,000,000"
_TRUTH = {"true": 1.0, "false": 0.0}  # as CSV files of pandas and of spreadsheets have it, in any case


def score_of(value: object) -> float | str:
    """A score from 0 to 1, also one written as text; True and False count 1 and 0. Else why it is none, in words."""
    told = _TRUTH.get(value.strip().lower(), value.strip()) if isinstance(value, str) else value
    if told is None or told == "":
        return UNSCORED
    try:
        number = float(told)  # type: ignore[arg-type]  # whatever it is, it is a number or it is not
    except OverflowError:
        return OUTSIDE
    except (TypeError, ValueError):
        return NO_SCORE
    if math.isnan(number):
        return UNSCORED
    return number if 0.0 <= number <= 1.0 else OUTSIDE


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


def unusable_cost(value: object) -> str:
    """Why a cost that a log states is none, in words; "" where it is one, and where none is stated."""
    if usd_of(value) is not None or value is None or (isinstance(value, str) and not value.strip()):
        return ""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is, it is a number or it is not
    except (TypeError, ValueError, OverflowError):
        return NO_COST
    if math.isnan(number):
        return ""
    return NEGATIVE_COST if number < 0.0 else NO_COST


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
