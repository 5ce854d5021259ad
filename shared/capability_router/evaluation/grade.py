"""Reads a score from 0 to 1 from an evaluator's result."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

Scale = tuple[float, float]
"""The scores for worthless and for perfect."""


class Ungraded(ValueError):
    """The result is no score. `why` is a word to count it by; the text says what to do, without anything of the
    answer.
    """

    def __init__(self, why: str, told: str) -> None:
        super().__init__(told)
        self.why = why


def graded(given: Any, scale: Scale | None = None) -> float | None:
    """A number, True or False, a mapping or an object with a `score`; None: it has no opinion. Raises Ungraded.

    Of LlamaIndex's results `passing` counts where the score is of another scale (a grade from 1 to 5) and `scale` does
    not say so.
    """
    if isinstance(given, Mapping):
        given = _of_mapping(given)
    given = _plain(given)
    if given is None or isinstance(given, Real):
        return None if given is None else _scaled(given, scale)
    if not hasattr(given, "score"):
        raise Ungraded("no_score", f"gave {_kind(given)}, not a number from 0 to 1, a bool or a mapping with a score")
    if getattr(given, "invalid_result", False):
        return None
    score, passing = given.score, getattr(given, "passing", None)
    if scale is None and passing is not None and not _agree(score, passing):
        score = passing
    return graded(score, scale)


def _plain(given: Any) -> Any:
    """An array of one number (numpy's truth values are such, and tensors), and a Decimal, as Python's own."""
    if isinstance(given, Decimal):
        return float(given)
    return given.item() if getattr(given, "shape", None) == () and hasattr(given, "item") else given


def _of_mapping(given: Mapping[Any, Any]) -> Any:
    """Its score, or that of the one result in it, which may be a mapping itself."""
    results = given.get("results")
    if "score" not in given and isinstance(results, (list, tuple)):
        if len(results) != 1:
            raise Ungraded("several", f"gave {len(results)} results; one score of an answer can be learned from")
        if not isinstance(results[0], Mapping):
            return results[0]
        given = results[0]
    if "score" not in given:
        raise Ungraded("no_score", "gave a mapping without a 'score'")
    return given["score"]


def _agree(score: object, passing: object) -> bool:
    number = isinstance(score, Real) and 0.0 <= float(score) <= 1.0
    return number and (float(score) >= 0.5) == bool(passing)  # type: ignore[arg-type]  # it is a number


def _scaled(given: bool | Real, scale: Scale | None) -> float:
    score = float(given)
    if scale is not None and not isinstance(given, bool):
        low, high = scale
        score = (score - low) / (high - low)
    if score != score:
        raise Ungraded("nan", "gave a score that is no number (NaN)")
    if not 0.0 <= score <= 1.0:
        low, high = scale or (0.0, 1.0)
        advice = "" if scale else "; if its scores have another range, say `evaluate: {scale: [LOW, HIGH]}`"
        raise Ungraded("out_of_range", f"gave {float(given):g}, which is not from {low:g} to {high:g}{advice}")
    return score


def _kind(given: object) -> str:
    name = type(given).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
