"""Each launch says whether somebody else could be asked; errors say when somebody may be."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import Stage

from capability_router import AllCandidatesFailed, RouterBusy
from capability_router.execution.effects import Effect, Launch
from capability_router.execution.outer_limits import set_outer_limits, unbound
from capability_router.faults.kinds import Fault
from capability_router.health.board import Hold, Permit, Verdict


def told(effects: tuple[Effect, ...]) -> list[tuple[str, bool]]:
    return [(effect.candidate.id, effect.elsewhere) for effect in effects if isinstance(effect, Launch)]


def test_the_last_of_the_targets_is_told_that_there_is_no_other() -> None:
    stage = Stage()
    assert told(stage.begin()) == [("a", True)]
    assert told(stage.faulted(101.0)) == [("b", True)]
    assert told(stage.faulted(102.0, 2)) == [("c", False)]


def test_the_last_attempt_is_told_so_too() -> None:
    stage = Stage(retry={"attempts": 2})
    assert told(stage.begin()) == [("a", True)]
    assert told(stage.faulted(101.0)) == [("b", False)]


def test_one_that_is_held_is_no_other() -> None:
    stage = Stage("ab")
    stage.router.isolate("b")
    stage = stage.again()
    assert told(stage.begin()) == [("a", False)]


def test_inside_an_attempt_that_has_others_each_launch_has() -> None:
    around = set_outer_limits(None, elsewhere=True)
    try:
        assert told(Stage("a").begin()) == [("a", True)]
    finally:
        unbound(around)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_beyond_a_learned_limit_goes_only_who_has_nobody_else(elsewhere: bool) -> None:
    stage = Stage("a", retry={"max_wait_s": 0})
    lane = stage.router.board._lanes["a"]
    lane.limiter.set_learned_limit(1)
    assert not isinstance(stage.router.board.admit("a", 100.0), Hold)
    around = set_outer_limits(None, elsewhere=elsewhere)
    try:
        stage = stage.again()
        assert told(stage.begin()) == ([] if elsewhere else [("a", False)])
    finally:
        unbound(around)
    if elsewhere:
        assert stage.machine.over is not None
        assert isinstance(stage.machine.over.error, RouterBusy)


def test_what_goes_beyond_a_learned_limit_is_booked_as_any_attempt() -> None:
    stage = Stage("a", retry={"max_wait_s": 0})
    stage.router.board._lanes["a"].limiter.set_learned_limit(1)
    other = stage.router.board.admit("a", 100.0)
    assert isinstance(other, Permit)
    assert told(stage.begin()) == [("a", False)]
    stage.router.board.settle(other, Verdict(False, neutral=True), 101.0)
    stage.completed(101.0)
    assert stage.outcome.model == "a"
    assert [call.attempt for call in stage.router.ledger.calls()] == [1]


def limited(seconds: float) -> Fault:
    return Fault("rate_limited", retry_after_s=seconds)


def failed(*faults: Any) -> AllCandidatesFailed:
    stage = Stage("ab"[: len(faults)], retry={"max_wait_s": 0})
    stage.begin()
    for number, fault in enumerate(faults, 1):
        stage.faulted(100.0 + number, number, fault)
    assert isinstance(stage.error, AllCandidatesFailed)
    return stage.error


def test_the_soonest_of_all_is_when_the_same_may_be_asked_again() -> None:
    assert failed(limited(30.0), limited(9.0)).retry_after_s == 9.0
    assert failed(limited(9.0), limited(30.0)).retry_after_s == 8.0  # a second has passed
    assert failed(limited(9.0), "auth").retry_after_s == 8.0  # a refused key is not waited for
    assert failed(limited(9.0), "overloaded").retry_after_s is None  # that one asks for nothing
    assert failed("auth").retry_after_s is None


def test_so_it_is_of_those_that_nothing_was_sent_to() -> None:
    stage = Stage("a", retry={"max_wait_s": 0})
    stage.begin()
    stage.faulted(101.0, 1, limited(30.0))
    stage = stage.again()
    stage.begin(111.0)
    assert isinstance(stage.error, RouterBusy)
    assert stage.error.retry_after_s == 20.0
