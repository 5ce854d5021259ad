"""A model that is asked once more, when something else is in the way by then."""

from __future__ import annotations

import pytest
from unit.execution.staged import Stage, told

from capability_router.health.permit import Permit, Verdict


def test_a_model_that_is_full_when_its_turn_to_be_repeated_comes_is_waited_for() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 1}}, retry={"wait": 1.0})
    stage.begin()
    assert told(stage.faulted(101.0)) == [("alarm", 102.0)]
    other = stage.router.board.admit("a", 101.5)
    assert isinstance(other, Permit)
    for now in (102.0, 102.1, 102.2):
        ((kind, again),) = told(stage.rang(now))
        assert (kind, round(again, 6)) == ("alarm", round(now + 0.1, 6))
    stage.router.board.settle(other, Verdict(True), 102.25)
    assert told(stage.rang(102.3))[0] == ("launch", 2, "a", "overloaded")
    stage.completed(103.0, 2)
    assert stage.outcome.model == "a"


def test_but_not_longer_than_anything_else() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 1}}, retry={"wait": 1.0, "max_wait_s": 2.0})
    stage.begin()
    stage.faulted(101.0)
    stage.router.board.admit("a", 101.5)
    now = 102.0
    while stage.machine.over is None:
        effects = stage.rang(now)
        now = told(effects)[0][1] if stage.machine.over is None else now
    assert now <= 103.1
    assert "Not tried again: a: full: 1 call" in str(stage.error)


def test_one_that_a_budget_forbids_leaves_its_share_to_the_next_request() -> None:
    first = Stage(
        "a", retry={"wait": 1.0, "budget_ratio": 0.0, "budget_floor": 1}, card_a={"max_output_tokens": 1_000},
        budgets=[{"scope": "global", "limit_usd": 0.003}],
    )  # fmt: skip
    second = first.again()
    first.begin()
    first.faulted(101.0)
    second.begin(101.5)
    assert told(first.rang(102.0)) == [("finish", None)]
    assert "to reserve less" in str(first.error)
    second.faulted(102.5)
    assert told(second.rang(103.5))[0] == ("launch", 2, "a", "overloaded")


def test_one_that_a_rate_limit_held_goes_on_when_the_limit_is_open_before() -> None:
    stage = Stage("a", retry={"wait": 1.0, "max_wait_s": 60.0})
    stage.begin()
    other = stage.router.board.admit("a", 100.5)
    assert isinstance(other, Permit)
    stage.faulted(101.0)
    stage.router.board.settle(other, Verdict(False, blame="gate", retry_after_s=20.0), 101.5)
    assert told(stage.rang(102.0)) == [("alarm", 121.5)]
    stage.router.reset("a")
    assert told(stage.rang(103.0))[0] == ("launch", 2, "a", "overloaded")


DOWN = Verdict(False, blame="breaker")
LONG = {"open_s": 60.0, "max_open_s": 60.0}


def forced(stage: Stage, at: float, id: str = "a") -> Permit:
    permit = stage.router.board.force(id, at)
    assert isinstance(permit, Permit)
    return permit


def trip(stage: Stage, at: float, retry_after_s: float | None = None) -> None:
    """Calls of other requests fail and open the breaker of "a"."""
    for permit in [forced(stage, at) for _ in range(5)]:
        stage.router.board.settle(permit, Verdict(False, blame="breaker", retry_after_s=retry_after_s), at)


@pytest.mark.parametrize(("fault", "due"), [("connection", 101.0), ("overloaded", 102.0)])
def test_a_retry_that_only_an_open_breaker_holds_is_made_when_nothing_else_is_left(fault: str, due: float) -> None:
    stage = Stage("a", retry={"wait": 1.0}, health=LONG)
    stage.begin()
    trip(stage, 100.5)
    effects = stage.faulted(101.0, fault=fault)
    if due > 101.0:
        assert told(effects) == [("alarm", due)]
        effects = stage.rang(due)
    assert told(effects)[0] == ("launch", 2, "a", fault)
    stage.chunk(102.5, 2)
    stage.completed(103.0, 2)
    assert stage.outcome.model == "a"


def test_calls_that_fail_together_and_open_the_breaker_are_each_repeated_within_the_budget() -> None:
    first = Stage("a", health=LONG, retry={"budget_ratio": 0.0, "budget_floor": 7})
    stages = [first, *(first.again() for _ in range(9))]
    for stage in stages:
        stage.begin()
    launches = [told(stage.faulted(101.0, fault="connection"))[0] for stage in stages]
    assert launches == [("launch", 2, "a", "connection")] * 7 + [("finish", None)] * 3
    assert "Not tried again: a: breaker open" in str(stages[-1].error)
    for stage in stages[:7]:
        assert told(stage.faulted(102.0, 2, "connection")) == [("finish", None)]
        assert len(stage.records) == 2
    assert first.router.health()[0]["in_flight"] == 0


def test_another_model_that_is_free_in_time_is_waited_for_instead() -> None:
    for gated_s, expected in ((5.0, ("alarm", 105.5)), (50.0, ("launch", 2, "a", "connection"))):
        stage = Stage("ab", policy="single", health=LONG, retry={"max_wait_s": 30.0})
        stage.begin()
        trip(stage, 100.5)
        verdict = Verdict(False, blame="gate", retry_after_s=gated_s)
        stage.router.board.settle(forced(stage, 100.5, "b"), verdict, 100.5)
        assert told(stage.faulted(101.0, fault="connection"))[0] == expected


def test_a_retry_past_an_open_breaker_waits_for_a_place_as_any_call() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 6}}, health=LONG, retry={"wait": 1.0})
    stage.begin()
    trip(stage, 100.5)
    stage.faulted(101.0)
    taken = [forced(stage, 101.5) for _ in range(6)]
    ((kind, look),) = told(stage.rang(102.0))
    assert (kind, round(look, 6)) == ("alarm", 102.1)
    stage.router.board.settle(taken[0], DOWN, 102.05)
    assert told(stage.rang(102.1))[0] == ("launch", 2, "a", "overloaded")


def test_a_retry_past_an_open_breaker_waits_as_long_as_its_provider_asks() -> None:
    stage = Stage("a", health=LONG)
    stage.begin()
    trip(stage, 100.5, retry_after_s=5.0)
    assert told(stage.faulted(101.0, fault="connection")) == [("alarm", 105.5)]
    assert told(stage.rang(105.5))[0] == ("launch", 2, "a", "connection")
