"""The owner of a cap hears of the first call that it refuses, once per window."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path

import pytest

from capability_router import BudgetExceeded, routing
from capability_router.clock import ManualClock
from capability_router.money.budget.budget_lease import BudgetLease
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import BudgetEvent, Denial, withheld
from capability_router.stores.base import BudgetPeriod
from capability_router.stores.opening import open_store
from capability_router.testing import ask, scripted_router

ONE = 10**12


def heard(*specs: BudgetSpec, clock: ManualClock | None = None) -> tuple[Budgets, list[BudgetEvent]]:
    budgets, events = Budgets(specs, clock=clock or ManualClock()), list[BudgetEvent]()
    budgets.on_event(events.append)
    return budgets, events


@pytest.mark.parametrize("on_exceed", ["refuse", "degrade"])
def test_the_first_refusal_is_told_once(on_exceed: str, caplog: pytest.LogCaptureFixture) -> None:
    budgets, events = heard(BudgetSpec("global", 1.0, "day", on_exceed))  # type: ignore[arg-type]  # a parametrised Literal
    with caplog.at_level(logging.WARNING, "capability_router"):
        for _ in range(3):
            assert isinstance(budgets.reserve(["global"], 2 * ONE), Denial)
    (event,) = events
    assert (event.kind, event.scope, event.window, event.left_usd) == ("refusing", "global", "day", Decimal(1))
    assert event.resets_at is not None
    assert [r.getMessage() for r in caplog.records] == [
        "budget global (day): refusing, no room for a call of up to $2, $0 of $1 spent"
    ]


@pytest.mark.parametrize("window", ["minute", "rolling:60"])
def test_it_is_told_again_in_the_next_window(window: str) -> None:
    clock = ManualClock()
    budgets, events = heard(BudgetSpec("tenant:*", 1.0, window), clock=clock)
    for scope in ("tenant:a", "tenant:b"):
        budgets.reserve([scope], 2 * ONE)
    assert [event.scope for event in events] == ["tenant:a", "tenant:b"]
    clock.advance(60.0)
    budgets.reserve(["tenant:a"], 2 * ONE)
    budgets.reserve(["tenant:a"], 2 * ONE)
    assert [event.scope for event in events] == ["tenant:a", "tenant:b", "tenant:a"]


def test_explaining_and_unpriced_calls_tell_nothing() -> None:
    budgets, events = heard(BudgetSpec("global", 1.0))
    assert budgets.fits(["global"], 2 * ONE) is not None
    assert isinstance(budgets.reserve(["global"], None), Denial)
    assert events == []


def test_a_refusal_by_a_store_is_told_too(tmp_path: Path) -> None:
    clock, events = ManualClock(), list[BudgetEvent]()
    store = open_store(f"sqlite:///{tmp_path / 'caps.db'}", clock)
    budgets = Budgets([BudgetSpec("global", 1.0)], room=store.budgets, clock=clock)
    budgets.on_event(events.append)
    for _ in range(2):
        short = budgets.reserve(["global"], 2 * ONE)
        assert isinstance(short, FundsShortfall)
        assert isinstance(budgets.borrow(short), Denial)
        clock.advance(1.0)  # for so long it isn't asked again
    assert [event.kind for event in events] == ["refusing"]
    store.close()


def test_a_router_tells_its_listeners() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "tenant:*", "limit_usd": 0}])
    events = list[BudgetEvent]()
    router.on_budget(events.append)
    for _ in range(2):
        with routing(tenant="acme"), pytest.raises(BudgetExceeded):
            ask(router)
    assert [(event.kind, event.scope) for event in events] == [("refusing", "tenant:acme")]


def test_what_calls_under_way_hold_is_told_where_it_would_do() -> None:
    budgets, _ = heard(BudgetSpec("tenant:a", 1.0))
    budgets.reserve(["tenant:a"], 6 * ONE // 10)
    told = budgets.fits(["tenant:a"], ONE // 2)
    assert told is not None
    assert "$0.4 of $1 left, $0.6 held by calls under way (total)" in told.told
    told = budgets.fits(["tenant:a"], 2 * ONE)
    assert told is not None
    assert "held" not in told.told
    told = budgets.fits(["tenant:b", "tenant:a"], ONE // 2)
    assert told is not None
    assert "$0.6" not in told.told


def test_a_refusal_says_whether_it_passes_before_the_window_ends() -> None:
    budgets, _ = heard(BudgetSpec("tag:*", 1.0, "day"))
    held = budgets.reserve(["tag:a"], 7 * ONE // 10)
    assert isinstance(held, Reservation)

    def passing(amount: int) -> bool:
        told = budgets.fits(["tenant:b", "tag:a"], amount)
        assert told is not None
        return told.passing

    assert passing(ONE)
    assert not passing(ONE + 1)
    budgets.settle(held, ONE // 10)
    assert not passing(ONE)


def test_a_refusal_because_its_store_is_away_passes() -> None:
    purse = BudgetLease(BudgetSpec("global", 1.0, "day"), "global", BudgetPeriod("global", "", ONE))
    assert withheld(purse, "the store is away").passing
