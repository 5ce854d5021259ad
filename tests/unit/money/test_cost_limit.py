from __future__ import annotations

from capability_router.money.cost_limit import CostLimit


def test_attempts_under_way_count_as_what_they_are_likely_to_cost_and_ended_ones_as_what_they_cost() -> None:
    limit = CostLimit(100, {"a": 60, "b": 40}.get)
    assert limit.forbids(1, "a") is None
    told = limit.forbids(2, "a")
    assert told is not None
    assert (told.left, told.spent, told.reserved, told.on_exceed) == (40, 0, 60, "degrade")
    assert limit.forbids(2, "b") is None  # to the last picodollar
    limit.closed(1, 40)
    limit.closed(2, 0)
    assert limit.forbids(3, "a") is None


def test_an_unknown_cost_or_price_leaves_nothing() -> None:
    limit = CostLimit(100, {"a": 60}.get)
    told = limit.forbids(1, "x")
    assert told is not None
    assert "of unknown price" in told.told
    assert limit.forbids(1, "a") is None
    limit.closed(1, None)
    told = limit.forbids(2, "a")
    assert told is not None
    assert told.left == 0
    assert "an unknown part is spent" in told.told


def test_an_attempt_that_is_asked_for_again_counts_once_and_one_that_is_forgone_not_at_all() -> None:
    limit = CostLimit(100, {"a": 60, "b": 40}.get)
    assert limit.forbids(1, "a") is None
    assert limit.forbids(1, "a") is None  # its money was borrowed meanwhile
    assert limit.forbids(2, "b") is None
    assert limit.forbids(3, "b") is not None
    limit.release_attempt(2)
    assert limit.forbids(3, "b") is None
    assert limit.forbids(3, "a") is not None
    assert limit.forbids(4, "b") is None  # what is forbidden counts for nothing
