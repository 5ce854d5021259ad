"""The money for trials that processes share: what was spent counts once, whatever rests and turns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.policies.exploration.budget import DAY_S, LocalExplorationBudget, SharedExplorationBudget
from capability_router.stores.base import LeaseClaim, LeaseGrant
from capability_router.stores.lending import BudgetState, lend
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


def spend(money: SharedExplorationBudget, clock: Wound, *, final: bool = False) -> None:
    money.renew(clock.now())
    assert money.took(10_000, clock.now())
    money.renew(clock.now(), final=final)
    clock.advance(700.0)


def test_it_counts_once_after_all_was_given_back(clock: Wound, room: MemoryBudgets) -> None:
    """A store forgets who has said goodbye, and would book all that he has ever spent when he comes again."""
    money = SharedExplorationBudget(room, "router", 1_000_000, clock.unix)
    for final in (True, False, True, False):
        spend(money, clock, final=final)
    (today,) = room.standings()
    assert today.spent == 40_000


def test_a_day_that_comes_again_is_spent_further(clock: Wound, room: MemoryBudgets) -> None:
    """Where the wall clock was set over midnight and back: of whom it knows, a store books what is above the former."""
    money = SharedExplorationBudget(room, "router", 1_000_000, clock.unix)
    for by in (0.0, DAY_S, 0.0, DAY_S, 0.0):
        clock.by = by
        spend(money, clock)
    money.renew(clock.now())
    assert [row.spent for row in room.standings()] == [30_000]


class Shared(MemoryBudgets):
    """Lends to several, as a store does; `after`: what comes to pass while the next answer is on its way."""

    inline = False

    def __init__(self, clock: Wound) -> None:
        super().__init__(clock.unix)
        self.after: Callable[[], object] | None = None
        self._till = BudgetState()

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        grant = lend(self._till, claim, self._unix())
        after, self.after = self.after, None
        if after is not None:
            after()
        return grant


@pytest.mark.parametrize("final", [False, True])
def test_what_is_given_back_is_not_spent_while_the_answer_is_on_its_way(clock: Wound, final: bool) -> None:
    room = Shared(clock)
    one, other = (SharedExplorationBudget(room, "router", 1_000_000, clock.unix) for _ in range(2))
    one.wants(900_000)
    one.renew(clock.now())
    assert one.left(clock.now()) >= 900_000
    clock.advance(16.0)
    spent: list[int] = []

    def spends(money: SharedExplorationBudget, amount: int) -> None:
        spent.append(amount * money.took(amount, clock.now()))

    def meanwhile() -> None:
        spends(one, 900_000)
        other.wants(900_000)
        other.renew(clock.now())
        spends(other, other.left(clock.now()))
        spends(one, one.left(clock.now()))

    room.after = meanwhile
    one.renew(clock.now(), final=final)
    one.renew(clock.now())
    assert 900_000 * final <= sum(spent) <= 1_000_000


def test_what_trials_cost_beyond_what_was_expected_is_booked_on_their_day() -> None:
    money = LocalExplorationBudget(1_000)
    assert money.took(100, 0.0)
    money.ended(700)
    assert money.left(0.0) == 200
    money.ended(700)
    assert money.left(0.0) == -500
    assert not money.took(0, 0.0), "overspent"
    assert money.left(DAY_S) == 1_000


def test_trials_that_cost_less_make_up_for_others_and_pay_for_no_more(clock: Wound, room: MemoryBudgets) -> None:
    shared = SharedExplorationBudget(room, "router", 1_000, clock.unix)
    shared.wants(1_000)
    shared.renew(clock.now())
    for money in (LocalExplorationBudget(1_000), shared):
        assert money.took(400, clock.now())
        for beyond, left in ((-300, 600), (200, 600), (150, 550), (-50, 550), (100, 500)):
            money.ended(beyond)
            assert money.left(clock.now()) == left


def test_all_processes_learn_of_what_a_trial_cost_beyond_what_was_expected(clock: Wound) -> None:
    room = Shared(clock)
    one, other = (SharedExplorationBudget(room, "router", 1_000_000, clock.unix) for _ in range(2))
    one.renew(clock.now())
    assert one.took(1_000, clock.now())
    one.ended(2_000_000)
    assert one.left(clock.now()) < 0
    one.renew(clock.now())
    other.wants(1)
    other.renew(clock.now())
    assert (one.left(clock.now()), other.left(clock.now())) == (0, 0)


def test_a_loan_ends_while_the_machine_is_asleep(clock: Wound, room: MemoryBudgets) -> None:
    money = SharedExplorationBudget(room, "router", 1_000_000, clock.unix)
    money.renew(clock.now())
    clock.by = 31.0
    assert money.left(clock.now()) == 0


def test_what_is_wanted_is_asked_again_if_the_store_was_away(clock: Wound, room: MemoryBudgets) -> None:
    money = SharedExplorationBudget(room, "router", 1_000_000, clock.unix)
    asked: list[LeaseClaim] = []

    def away(claim: LeaseClaim) -> LeaseGrant:
        asked.append(claim)
        raise StoreError("away")

    room.claim = away  # type: ignore[method-assign]  # for this test
    money.wants(70_000)
    for _ in range(2):
        with pytest.raises(StoreError):
            money.renew(clock.now())
    assert [claim.least for claim in asked] == [70_000, 70_000]
