"""Caps in one process over time: shares that are put away, wall clocks that are set back, long rests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from unit.money.budget.caps import ONE, Caps, denial

from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial


def test_a_purse_that_a_call_is_about_to_use_is_not_put_away() -> None:
    """It would hold the whole cap where nothing finds it again: that tenant's next call would be refused for ever."""
    budgets = Caps(BudgetSpec("tenant:*", 1.0))
    for each in range(200):
        assert budgets.spend([f"tenant:{each}"], ONE // 2)
    budgets.clock.advance(400.0)  # those of the first are idle, and the newest has never been used
    assert all(budgets.spend([f"tenant:{each}"], ONE // 4) for each in range(200))
    rows = [row for each in range(200) for row in budgets.rows(f"{each}")]
    assert {(row["spent_usd"], row["reserved_usd"]) for row in rows} == {(0.75, 0.0)}


def test_of_the_purses_of_one_call_none_puts_another_away() -> None:
    budgets = Caps(BudgetSpec("tag:*", 1.0))
    for each in range(63):
        budgets.spend([f"tag:{each}"], 1)
    budgets.clock.advance(400.0)
    assert budgets.spend(["tag:0", "tag:new"], ONE // 2)  # the second is one more than are kept without a look
    assert budgets.spend(["tag:0"], ONE // 4)
    (row,) = [row for row in budgets.rows() if row["scope"] == "tag:0"]
    assert row["spent_pico"] == ONE * 3 // 4 + 1


class Wound(ManualClock):
    """A clock of which the wall's part can be set back, at midnight."""

    by = 0.0

    def __init__(self) -> None:
        super().__init__(57_600.0)

    def unix(self) -> float:
        return super().unix() + self.by


def test_a_wall_clock_that_is_set_back_over_a_window_s_end_reserves_nothing() -> None:
    clock = Wound()
    budgets = Budgets([BudgetSpec("global", 1.0, "day")], clock=clock)
    for by in (-0.5, 0.5, -0.5, 0.5):  # around midnight
        clock.by = by
        hold = budgets.reserve(["global"], ONE // 8)
        assert isinstance(hold, Reservation)
        budgets.settle(hold, ONE // 8)
    (row,) = budgets.rows()
    assert (row["spent_usd"], row["reserved_usd"]) == (0.25, 0.0)
    clock.by = -0.5
    (row,) = budgets.rows()
    assert (row["spent_usd"], row["reserved_usd"]) == (0.25, 0.0)


def test_what_was_spent_of_a_window_that_comes_again_is_kept_however_many_caps_there_are() -> None:
    clock = Wound()
    budgets = Budgets([BudgetSpec("tenant:*", 1.0, "day")], clock=clock)
    for by, tenants in ((0.5, ["a"]), (-0.5, ["a", *map(str, range(200))])):
        clock.by = by
        for tenant in tenants:
            hold = budgets.reserve([f"tenant:{tenant}"], ONE // 2)
            assert isinstance(hold, Reservation)
            budgets.settle(hold, ONE // 2)
    clock.by = 0.5
    assert isinstance(budgets.reserve(["tenant:a"], ONE * 3 // 4), Denial)


def test_a_call_under_way_while_the_wall_clock_is_set_back_holds_its_own_alone() -> None:
    clock = Wound()
    clock.by = 0.5
    budgets = Budgets([BudgetSpec("global", 1.0, "day")], clock=clock)
    first = budgets.reserve(["global"], ONE // 2)
    assert isinstance(first, Reservation)
    clock.by = -0.5
    budgets.settle(budgets.reserve(["global"], ONE), 0)  # type: ignore[arg-type]  # another day's
    clock.by = 0.5
    assert denial(budgets, ["global"], ONE * 3 // 4).reserved == ONE // 2
    second = budgets.reserve(["global"], ONE // 2)
    budgets.settle(first, ONE // 4)
    budgets.settle(second, ONE // 4)  # type: ignore[arg-type]  # it was held
    assert denial(budgets, ["global"], ONE // 2 + 1).spent == ONE // 2


@pytest.mark.parametrize("look", [lambda caps: caps.rows(), lambda caps: caps.fits(["global"], 1), Caps.sync_leases])
def test_what_was_spent_counts_once_however_long_nobody_asks(look: Callable[[Caps], object]) -> None:
    """A holder that has said goodbye is forgotten, and what it has spent in all would be booked again."""
    budgets = Caps(BudgetSpec("global", 1.0))
    for _ in range(8):
        assert budgets.spend(["global"], ONE // 8)
        look(budgets)
        budgets.clock.advance(3_000.0)
    (row,) = budgets.rows()
    assert row["spent_pico"] == ONE
