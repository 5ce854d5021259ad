"""A full model that is worth a short wait is waited for; one that is not, or stays full, is not."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import Price, routing
from capability_router.health.board import Permit, Verdict
from capability_router.router import Router
from capability_router.testing import ask, assert_books_balanced, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "cheap": {"price": Price(0.1, 0.1), "quality": {"default": 0.7}, "limits": {"rpm": 60}},
    "dear": {"price": Price(10, 10), "quality": {"default": 0.75}},
}


def router(policy: Any = "adaptive", *, limits: dict[str, int] | None = None, **settings: Any) -> Router:
    cards = CARDS if limits is None else {**CARDS, "cheap": {**CARDS["cheap"], "limits": limits}}
    return scripted_router({name: ["ok"] for name in CARDS}, cards=cards, policy=policy, **settings)


def used_up(made: Router, calls: int = 60) -> list[Permit]:
    """As many calls as its limits allow, under way."""
    permits = [made.board.admit("cheap", made.clock.now()) for _ in range(calls)]
    assert all(isinstance(permit, Permit) for permit in permits)
    return permits  # type: ignore[return-value]  # asserted


def test_a_short_wait_for_a_cheap_model_is_planned_and_made() -> None:
    made = router()
    permits = used_up(made)
    plan, began = made.explain("hello there"), made.clock.now()
    assert plan.chosen.id == "cheap"
    assert (plan.chosen.held, plan.chosen.queue_s) == ("", pytest.approx(1.0))
    assert plan.reason.endswith("worth a wait of about 1 s")
    done = ask(made).outcome
    assert (done.model, done.fallback) == ("cheap", False)
    assert made.clock.now() - began == pytest.approx(1.0, abs=0.1)
    assert not made.queue
    for permit in permits:
        made.board.settle(permit, Verdict(ok=True), made.clock.now())
    assert_books_balanced(made)


def test_not_where_seconds_count_more_than_the_money() -> None:
    made = router({"name": "adaptive", "latency_weight": 1.0})
    used_up(made)
    began = made.clock.now()
    assert ask(made).outcome.model == "dear"
    assert made.clock.now() == began


@pytest.mark.parametrize("policy", ["cheapest", {"name": "adaptive", "latency_weight": 0}, {"name": "weighted"}])
def test_policies_that_weigh_no_waits_take_who_is_free(policy: Any) -> None:
    made = router(policy)
    used_up(made)
    plan, began = made.explain("hello there"), made.clock.now()
    assert (plan.chosen.id, plan.candidates[1].held[:5]) == ("dear", "full:")
    assert ask(made).outcome.model == "dear"
    assert made.clock.now() == began


def test_one_that_stays_full_is_given_up_after_a_quarter_of_the_time() -> None:
    made = router(limits={"concurrency": 1}, deadline_s=20.0)
    used_up(made, 1)
    began = made.clock.now()
    assert ask(made).outcome.model == "dear"
    assert 3.0 < made.clock.now() - began <= 5.0
    assert not made.queue


def test_who_stands_in_the_queue_already_is_counted_in() -> None:
    made = router()
    used_up(made)
    places = [made.queue.place("batch") for _ in range(9)]
    for place in places:
        assert place is not None
        made.queue.stand(place, ["cheap"], until=1e9)
    assert made.explain("hello there").chosen.queue_s == pytest.approx(1.0)
    with routing(priority="batch"):
        assert made.explain("hello there").chosen.queue_s == pytest.approx(10.0)


def test_where_the_queue_is_full_nobody_waits_beside_a_free_model() -> None:
    made = router(retry={"max_waiting": 0})
    used_up(made)
    began = made.clock.now()
    assert ask(made).outcome.model == "dear"
    assert made.clock.now() == began


def test_fastest_waits_for_one_that_is_sooner_done_all_the_same() -> None:
    quick = {"limits": {"rpm": 60}, "latency": {"ttft_s": 0.1, "tokens_per_s": 1_000}}
    slow = {"latency": {"ttft_s": 9.0, "tokens_per_s": 10}}
    made = scripted_router({"cheap": ["ok"], "slow": ["ok"]}, cards={"cheap": quick, "slow": slow}, policy="fastest")
    used_up(made)
    assert ask(made).outcome.model == "cheap"
