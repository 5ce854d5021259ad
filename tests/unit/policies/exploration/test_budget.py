"""The money for trials that processes share: what was spent counts once, whatever rests and turns."""

from __future__ import annotations

import pytest

from capability_router.clock import ManualClock
from capability_router.policies.exploration.budget import DAY_S, SharedMoney
from capability_router.stores.memory import MemoryBudgets


class Wound(ManualClock):
    """A clock of which the wall's part can be set. Its days begin at 0."""

    by = 0.0

    def unix(self) -> float:
        return self.now() + self.by


@pytest.fixture
def clock() -> Wound:
    return Wound(100 * DAY_S)


@pytest.fixture
def room(clock: Wound) -> MemoryBudgets:
    return MemoryBudgets(clock.unix)


def spend(money: SharedMoney, clock: Wound, *, final: bool = False) -> None:
    money.renew(clock.now())
    assert money.took(10_000, clock.now())
    money.renew(clock.now(), final=final)
    clock.advance(700.0)


def test_it_counts_once_after_all_was_given_back(clock: Wound, room: MemoryBudgets) -> None:
    """A store forgets who has said goodbye, and would book all that he has ever spent when he comes again."""
    money = SharedMoney(room, "router", 1_000_000, clock.unix)
    for final in (True, False, True, False):
        spend(money, clock, final=final)
    (today,) = room.standings()
    assert today.spent == 40_000


def test_a_day_that_comes_again_is_spent_further(clock: Wound, room: MemoryBudgets) -> None:
    """Where the wall clock was set over midnight and back: of whom it knows, a store books what is above the former."""
    money = SharedMoney(room, "router", 1_000_000, clock.unix)
    for by in (0.0, DAY_S, 0.0, DAY_S, 0.0):
        clock.by = by
        spend(money, clock)
    money.renew(clock.now())
    assert [row.spent for row in room.standings()] == [30_000]


def test_what_is_spent_while_all_is_given_back_is_told_the_next_time(clock: Wound, room: MemoryBudgets) -> None:
    money = SharedMoney(room, "router", 1_000_000, clock.unix)
    money.renew(clock.now())
    asked = room.claim
    room.claim = lambda claim: (money.took(10_000, clock.now()), asked(claim))[1]  # type: ignore[method-assign]  # for this test
    money.renew(clock.now(), final=True)
    room.claim = asked  # type: ignore[method-assign]  # as it was
    money.renew(clock.now())
    assert [row.spent for row in room.standings()] == [10_000]
