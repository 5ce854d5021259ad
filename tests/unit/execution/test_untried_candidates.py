"""Candidates that were not tried yet are come by one after the other, and no sooner than their turn is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capability_router.execution.untried_candidates import UntriedCandidates
from capability_router.plan import Candidate

A, B, C, D = (Candidate(name, "", name, 0.0, None, None, None, 0.0, (), "", None) for name in "abcd")


class Made:
    """Candidates that are counted as they are come by."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Iterator[Candidate]:
        for each in (A, B, C):
            self.count += 1
            yield each


def test_nobody_further_down_is_looked_at() -> None:
    made = Made()
    fresh = UntriedCandidates(made)
    assert made.count == 0
    assert next(iter(fresh)) is A
    assert bool(fresh)
    assert made.count == 1
    fresh.remove(A)
    assert next(iter(fresh)) is B
    assert made.count == 2


def test_two_at_once_see_the_same() -> None:
    fresh = UntriedCandidates((A, B, C))
    seen = [(one.id, [other.id for other in fresh]) for one in fresh]
    assert seen == [(name, ["a", "b", "c"]) for name in "abc"]


def test_who_may_be_tried_after_all_comes_behind_those_that_nobody_has_looked_at() -> None:
    fresh = UntriedCandidates((A, B, C))
    fresh.remove(next(iter(fresh)))
    fresh.append(D)
    assert list(fresh) == [B, C, D]
    assert list(fresh) == [B, C, D]


@pytest.mark.parametrize(
    ("holds", "tried", "seen_to_hold", "usable"),
    [
        (("", "", ""), 1, "", True), (("", "", ""), 1, "b", True), (("", "full", "full"), 1, "", False),
        (("", "full", ""), 1, "", True), (("", "", "full"), 2, "b", False), (("", "", ""), 3, "", False),
    ],
)  # fmt: skip
def test_whether_one_is_left_that_nothing_holds(
    holds: tuple[str, ...], tried: int, seen_to_hold: str, usable: bool
) -> None:
    all_of_them = [each._replace(held=hold) for each, hold in zip((A, B, C), holds, strict=True)]
    fresh = UntriedCandidates(all_of_them)
    seen = [each for each, _ in zip(fresh, range(tried), strict=False)]
    for each in seen:
        if each.id not in seen_to_hold:
            fresh.remove(each)
    assert fresh.usable(set(seen_to_hold)) is usable
    fresh.append(D)
    assert fresh.usable(set(seen_to_hold))


def test_it_is_empty_once_all_are_tried() -> None:
    fresh = UntriedCandidates((A,))
    assert fresh
    fresh.remove(next(iter(fresh)))
    assert not fresh
    assert list(fresh) == []
    assert not UntriedCandidates(())
