"""A pot that the store said is empty is not asked for again at once: for a second if it is spent, else for 0.1 s."""

from __future__ import annotations

import threading

import pytest
from unit.money.budget.lender import ONE, Lender, Process

from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import FundsShortfall, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial


def emptied(lender: Lender, clock: ManualClock, *specs: BudgetSpec) -> tuple[Process, Process, Reservation]:
    """Another process holds all but a tenth; this one was refused once."""
    one, other = Process(lender, clock, *specs), Process(lender, clock, *specs)
    hold = other.held(9 * ONE // 10)
    assert isinstance(one.got(ONE // 2), Denial)
    return one, other, hold


@pytest.mark.parametrize(("spent", "lasts_s"), [(True, 1.0), (False, 0.1)])
def test_further_refusals_do_not_ask_for_a_while(
    lender: Lender, clock: ManualClock, spent: bool, lasts_s: float
) -> None:
    one, other = Process(lender, clock), Process(lender, clock)
    hold = other.held(9 * ONE // 10)
    if spent:
        other.settle(hold, 9 * ONE // 10)
        other.sync_leases()
    assert isinstance(one.got(ONE // 2), Denial)
    asked = len(lender.claims)
    for amount in (ONE // 2, ONE, ONE // 2):
        told = one.reserve(["global"], amount)
        assert isinstance(told, Denial)
        assert (told.scope, told.left) == ("global", ONE // 10)
    clock.advance(0.9 * lasts_s)
    assert isinstance(one.reserve(["global"], ONE // 2), Denial)
    assert len(lender.claims) == asked
    clock.advance(0.2 * lasts_s)
    assert isinstance(one.reserve(["global"], ONE // 2), FundsShortfall)


def test_a_smaller_call_is_asked_for_and_may_fit(lender: Lender, clock: ManualClock) -> None:
    one, _, _ = emptied(lender, clock)
    assert one.spend(ONE // 20)
    assert one.spend(ONE // 20)
    assert not one.spend(ONE // 20)


def test_money_that_another_process_gives_back_is_seen_soon(lender: Lender, clock: ManualClock) -> None:
    one, other, hold = emptied(lender, clock)
    other.settle(hold, 0)
    other.sync_leases(final=True)
    assert isinstance(one.got(ONE // 2), Denial)
    clock.advance(0.1)
    assert one.spend(ONE // 2)


def test_money_that_comes_back_to_this_process_is_used_at_once(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock)
    hold = one.held(9 * ONE // 10)
    assert isinstance(one.got(ONE // 2), Denial)
    assert isinstance(one.reserve(["global"], ONE // 2), Denial)
    one.settle(hold, 0)
    assert one.spend(ONE // 2)


def test_what_the_teller_hears_ends_it(lender: Lender, clock: ManualClock) -> None:
    one, other, hold = emptied(lender, clock)
    other.settle(hold, 0)
    other.sync_leases(final=True)
    one.settle(one.held(ONE // 20), ONE // 20)
    one.sync_leases()
    assert one.spend(ONE // 2)


def test_a_new_window_is_asked_for(lender: Lender, clock: ManualClock) -> None:
    clock.advance(60.0 - clock.unix() % 60.0 - 0.05)
    one, _, _ = emptied(lender, clock, BudgetSpec("global", 1.0, "minute"))
    assert isinstance(one.reserve(["global"], ONE // 2), Denial)
    asked = len(lender.claims)
    clock.advance(0.06)
    assert one.spend(ONE // 2)
    assert len(lender.claims) > asked


def test_one_empty_pot_says_nothing_of_another(lender: Lender, clock: ManualClock) -> None:
    one, _, _ = emptied(lender, clock, BudgetSpec("global", 1.0), BudgetSpec("tag:x", 5.0))
    assert isinstance(one.reserve(["tag:x"], ONE // 2), FundsShortfall)
    assert isinstance(one.reserve(["tag:x", "global"], ONE // 2), Denial)


def test_a_crowd_asks_once(lender: Lender, clock: ManualClock) -> None:
    one, other = Process(lender, clock), Process(lender, clock)
    other.held(9 * ONE // 10)
    short = [one.reserve(["global"], ONE // 2) for _ in range(16)]
    assert all(isinstance(found, FundsShortfall) for found in short)
    asked = len(lender.claims)
    threads = [threading.Thread(target=one.borrow, args=(found,)) for found in short]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(lender.claims) == asked + 1


def test_the_owner_hears_of_the_first_refusal_alone(lender: Lender, clock: ManualClock) -> None:
    one, _, _ = emptied(lender, clock)
    one.got(ONE // 2)
    assert [event.kind for event in one.heard] == ["refusing"]
