"""Caps last their windows: days of made-up traffic in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from capability_router import BudgetExceeded, Price, Request
from capability_router.money.budget.budgets import Budgets, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.request import Usage
from capability_router.router import Router
from capability_router.stores.memory import MemoryBudgets
from capability_router.testing import ManualClock, ScriptedModel, ask, assert_books_balanced, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "weak": {"price": Price(0.1, 0.1), "quality": {"default": 0.5}, "max_output_tokens": 400},
    "middle": {"price": Price(1, 1), "quality": {"default": 0.7}, "max_output_tokens": 400},
    "strong": {"price": Price(10, 10), "quality": {"default": 0.9}, "max_output_tokens": 400},
}
DAY, EACH = 86_400.0, 230e-6  # what "middle" costs per request


class Day(NamedTuple):
    router: Router
    spent: list[tuple[float, float, str]]  # second of the day, USD, model
    refused: int

    def share(self, since: float, until: float) -> float:
        """Of all that was spent, that between two hours."""
        total = sum(usd for _, usd, _ in self.spent)
        return sum(usd for at, usd, _ in self.spent if since <= at / 3_600 < until) / total


def always(_: float) -> float:
    return 1.0


def day(limit: float, shape: Callable[[float], float] = always, *, on: str = "refuse", **policy: Any) -> Day:
    """720 requests at random moments, more often in the hours of which `shape` says so."""
    clock, rng = ManualClock(), random.Random(5)
    clock.sleep(DAY - clock.unix() % DAY)
    router = scripted_router(
        {name: ScriptedModel(["ok"], usage=Usage(10, 220)) for name in CARDS}, clock=clock, cards=CARDS,
        policy={"name": "adaptive", "latency_weight": 0, "budget_pacing": True, **policy},
        budgets=[{"scope": "global", "limit_usd": limit, "window": "day", "on_exceed": on}],
    )  # fmt: skip
    start, spent, refused = clock.unix(), [], 0
    while True:
        clock.sleep(rng.expovariate(1 / 120) / shape(clock.unix() % DAY / 3_600))
        at = clock.unix() - start
        if at >= DAY:
            return Day(router, spent, refused)
        try:
            outcome = ask(router, "hello there").outcome
        except BudgetExceeded:
            refused += 1
        else:
            assert outcome is not None
            spent.append((at, (outcome.cost_pico or 0) / 1e12, outcome.model or ""))


@pytest.mark.parametrize("limit", [0.03, 0.06, 0.12])
def test_a_cap_lasts_the_day_and_is_used(limit: float) -> None:
    """The usual trade would have spent 0.17 USD."""
    done = day(limit)
    assert done.refused == 0
    assert sum(usd for _, usd, _ in done.spent) == pytest.approx(limit, rel=0.05)
    assert {model for _, _, model in done.spent} == {"weak", "middle"}
    for hour in range(0, 24, 6):
        assert 0.18 < done.share(hour, hour + 6) < 0.32
    assert_books_balanced(done.router)


def test_without_a_pace_it_would_not_last() -> None:
    done = day(0.06, budget_pacing=False)
    assert done.refused > 300
    assert done.share(0, 12) > 0.9


def test_a_cap_that_is_large_enough_changes_nothing() -> None:
    plain, paced = day(5.0, budget_pacing=False), day(5.0)
    assert [model for *_, model in paced.spent] == [model for *_, model in plain.spent]
    reason = paced.router.explain(Request(("hello there",))).reason
    assert "lasts" not in reason


def test_a_cap_that_only_warns_sets_the_pace_too() -> None:
    done = day(0.06, on="warn")
    assert sum(usd for _, usd, _ in done.spent) == pytest.approx(0.06, rel=0.05)


def test_traffic_that_grows_towards_noon_is_followed() -> None:
    """What comes is foreseen from what came: the morning spends too freely, and the rest of the day has less."""
    done = day(0.06, lambda hour: 0.5 if hour < 8 else 1.5)
    assert done.refused == 0
    assert sum(usd for _, usd, _ in done.spent) < 0.06
    assert done.share(16, 24) > 0.1


def test_a_cap_below_the_cheapest_sends_everything_there_and_says_so() -> None:
    done = day(0.01)
    assert {model for _, _, model in done.spent} <= {"weak", "middle"}
    assert sum(model == "middle" for _, _, model in done.spent) <= 8, "those before anybody knew how fast they come"
    done.router.clock.sleep(1.0)
    for _ in range(9):
        ask(done.router, "hello there")
    assert done.refused > 0


def test_the_reason_tells_of_the_cap() -> None:
    done = day(0.06)
    done.router.clock.sleep(60.0)
    ask(done.router, "hello there")  # of the next day
    clock = done.router.clock
    clock.sleep(DAY / 2)
    for _ in range(200):
        clock.sleep(100.0)
        ask(done.router, "hello there")
    plan = done.router.explain(Request(("hello there",)))
    assert "so that the cap lasts its day: now $0.000" in plan.reason
    assert 0.0 < dict(plan.settings)["cost_target_usd"] < 0.01


def test_a_cost_target_and_a_cap_the_lower_rules() -> None:
    spent = {target: sum(usd for _, usd, _ in day(0.06, cost_target_usd=target).spent) for target in (5e-5, 1.0)}
    assert spent[5e-5] == pytest.approx(5e-5 * 720, rel=0.08)
    assert spent[1.0] == pytest.approx(0.06, rel=0.05)


# -- what is left, and for whom -------------------------------------------------------------------


class Wound(ManualClock):
    """A clock of which the wall's part can be set."""

    by = 0.0

    def unix(self) -> float:
        return super().unix() + self.by


def pace(budgets: Budgets, clock: ManualClock, apart: float, count: int = 20) -> BudgetPacer:
    made = BudgetPacer(budgets.rests, clock)
    for _ in range(count):
        clock.sleep(apart)
        made.arrived()
    return made


def test_too_few_requests_tell_nothing() -> None:
    clock = ManualClock()
    budgets = Budgets([BudgetSpec("global", 10, "day")], clock=clock)
    assert pace(budgets, clock, 10.0, 7).allowance() is None
    assert pace(budgets, clock, 10.0, 8).allowance() is not None


@pytest.mark.parametrize("by", [-3_600.0, 3_600.0])
def test_a_wall_clock_that_is_set_says_nothing_of_how_fast_requests_come(by: float) -> None:
    clock = Wound()
    budgets = Budgets([BudgetSpec("global", 10, "week")], clock=clock)
    asked = pace(budgets, clock, 60.0, 30)
    before = asked.allowance()
    clock.by = by
    asked.arrived()
    after = asked.allowance()
    assert before is not None
    assert after is not None
    assert after.usd == pytest.approx(before.usd, rel=0.1)


def test_the_window_that_allows_least_is_told_and_others_set_no_pace() -> None:
    clock = ManualClock()
    specs = [
        BudgetSpec("global", 100, "month"), BudgetSpec("global", 1, "week"), BudgetSpec("global", 1e-9, "total"),
        BudgetSpec("global", 1e-9, "rolling:60"), BudgetSpec("tenant:a", 1e-9, "day"),
    ]  # fmt: skip
    allowed = pace(Budgets(specs, clock=clock), clock, 60.0).allowance()
    assert allowed is not None
    assert allowed.window == "week"
    assert 0.0 < allowed.usd < 0.01


def test_each_of_two_processes_plans_with_its_part() -> None:
    """Of what is left, as large a part as of what was spent since it began."""
    clock = ManualClock()
    room = MemoryBudgets(clock.unix)
    room.inline = False  # type: ignore[misc]  # as a store of several processes
    ours, others = (Budgets([BudgetSpec("global", 100, "day")], room=room, clock=clock) for _ in range(2))

    def spend(budgets: Budgets, usd: int) -> None:
        found = budgets.reserve(["global"], usd * 10**12)
        held = found if isinstance(found, Reservation) else budgets.borrow(found)  # type: ignore[arg-type]  # there is room
        assert isinstance(held, Reservation)
        budgets.settle(held, usd * 10**12)
        budgets.sync_leases()

    spend(others, 20)
    spend(ours, 1)
    assert ours.rests()[0].left / 1e12 == pytest.approx(100 - 1 - 21), "what was spent before it began is nobody's part"
    for _ in range(5):
        spend(others, 6)
        spend(ours, 2)
    few = 1  # a hundredth of the cap: kept back, and so little tells nothing of shares
    left = 100 - few - 20 - 1 - 40
    assert ours.rests()[0].left / 1e12 == pytest.approx(left * (11 + few) / (41 + few))
    left += 2  # the others have not heard of our last two yet
    assert others.rests()[0].left / 1e12 == pytest.approx(left * (50 + few) / (59 + few))
