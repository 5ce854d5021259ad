"""What evaluators give, and what is made of it."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from capability_router.evaluation.grade import Ungraded, graded


@pytest.mark.parametrize(
    ("given", "score"),
    [
        (0.25, 0.25), (1, 1.0), (True, 1.0), (False, 0.0), (None, None), ({"score": 0.5, "comment": "a"}, 0.5),
        ({"score": None}, None), ({"results": [SimpleNamespace(score=True)]}, 1.0),
        ({"results": [{"key": "a", "score": 0.4}]}, 0.4), ({"results": ({"score": None},)}, None),
        (SimpleNamespace(score=0.0), 0.0),
        (SimpleNamespace(score=4.5, passing=True), 1.0), (SimpleNamespace(score=1.0, passing=False), 0.0),
        (SimpleNamespace(score=0.7, passing=True), 0.7), (SimpleNamespace(score=None, passing=True), 1.0),
        (SimpleNamespace(score=1.0, passing=True, invalid_result=True), None),
    ],
    ids=str,
)  # fmt: skip
def test_scores(given: Any, score: float | None) -> None:
    assert graded(given) == score


@pytest.mark.parametrize(("given", "score"), [(1, 0.0), (5, 1.0), (4, 0.75), (True, 1.0)])
def test_another_scale_is_brought_to_0_to_1(given: Any, score: float) -> None:
    assert graded(given, (1.0, 5.0)) == score
    assert graded(SimpleNamespace(score=given, passing=not score), (1.0, 5.0)) == score, "a stated scale goes first"


@pytest.mark.parametrize(
    ("given", "why", "told"),
    [
        ("a secret answer", "no_score", "gave a str, not a number"), (float("nan"), "nan", "NaN"),
        (7, "out_of_range", "gave 7, which is not from 0 to 1; if its scores have another range, say `evaluate:"),
        (-0.01, "out_of_range", "-0.01"), ({"grade": "secret"}, "no_score", "a mapping without a 'score'"),
        ({"results": [{"value": "secret"}]}, "no_score", "a mapping without a 'score'"),
        ({"results": [1, 0]}, "several", "gave 2 results"), (object(), "no_score", "gave an object"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_score_says_so_without_its_content(given: Any, why: str, told: str) -> None:
    with pytest.raises(Ungraded) as raised:
        graded(given)
    assert raised.value.why == why
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("given", [Decimal("0.25"), {"score": Decimal("0.25")}])
def test_decimals(given: Any) -> None:
    assert graded(given) == 0.25


def test_what_numpy_gives() -> None:
    """Its truth values are no numbers, which a comparison of its numbers gives."""
    numpy = pytest.importorskip("numpy")
    assert graded(numpy.float32(0.5) > 0.1) == 1.0
    assert graded({"score": numpy.float32(0.1) > 0.5}) == 0.0
    assert graded(numpy.array(0.25)) == 0.25
    with pytest.raises(Ungraded, match="gave a ndarray"):
        graded(numpy.array([0.25, 0.5]))


def test_beyond_a_stated_scale() -> None:
    with pytest.raises(Ungraded, match=r"gave 6, which is not from 1 to 5$"):
        graded(6, (1.0, 5.0))
