"""What `feedback` takes as a score, and how it counts."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from capability_router import ConfigError, Request
from capability_router.testing import ask, scripted_router


class Records:
    def __init__(self) -> None:
        self.scores: list[Any] = []

    def write(self, record: dict[str, Any]) -> None:
        if record["kind"] == "feedback":
            self.scores.append(record["score"])

    def close(self) -> None: ...


class Tensor:
    """One number in an array without dimensions, as numpy's and torch's are."""

    shape = ()

    def __init__(self, number: Any) -> None:
        self.item = lambda: number


GOOD: list[tuple[Any, float]] = [
    (True, 1.0), (False, 0.0), (1, 1.0), (0.25, 0.25), (Decimal("0.75"), 0.75), (Fraction(1, 2), 0.5),
    (Tensor(True), 1.0), (Tensor(0.5), 0.5),
]  # fmt: skip
BAD: list[Any] = [
    math.nan, math.inf, 1.1, -0.1, 2, "1", None, "yes", [1.0], Decimal("NaN"), Decimal("sNaN"), Decimal(2),
    Fraction(10**400), Tensor(math.nan), Tensor("1"), 1j,
]  # fmt: skip


def test_scores_of_every_kind_count_as_floats_also_for_answers_of_other_processes() -> None:
    router, records = scripted_router({"a": ["ok"] * 10}, policy="adaptive"), Records()
    router.add_sink(records)
    for given, _ in GOOD:
        request = Request(("hi",))
        assert router.feedback(request.id, given) is False
        ask(router, request)
        assert router.feedback(request.id, given) is True
    router.flush()
    assert records.scores == [score for _, score in GOOD for _ in range(2)]
    assert all(type(score) is float for score in records.scores)


def test_numbers_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    router = scripted_router({"a": ["ok"] * 10}, policy="adaptive")
    for given in (numpy.bool_(True), numpy.float32(0.5), numpy.int64(1), numpy.array(0.5)):
        ask(router, request := Request(("hi",)))
        assert router.feedback(request.id, given)


@pytest.mark.parametrize("given", BAD, ids=repr)
def test_anything_else_is_refused_with_what_it_was(given: Any) -> None:
    router = scripted_router({"a": ["ok"]}, policy="adaptive")
    ask(router, request := Request(("hi",)))
    for id in (request.id, "of another process"):
        with pytest.raises(ConfigError, match="feedback score must be a number from 0 to 1, True or False, got "):
            router.feedback(id, given)
