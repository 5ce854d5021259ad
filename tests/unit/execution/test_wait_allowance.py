"""How long a request waits for models in all, and how long with an answer in hand."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import CUT, Stage, told

from capability_router import Reply, Usage
from capability_router.faults.kinds import Fault
from capability_router.health.permit import Permit, Verdict
from capability_router.request import Finish

EMPTY = Reply(usage=Usage(10, 0), finish=Finish.STOP)


def limited(wait_s: float) -> Fault:
    return Fault("rate_limited", retry_after_s=wait_s)


def empty_beside_a_rate_limit(wait_s: float, **settings: Any) -> tuple[Stage, tuple[Any, ...]]:
    """Model a asks to wait, b gives an empty answer, also when it is asked again, at 101.2 s."""
    stage = Stage("ab", stream=False, **settings)
    stage.begin()
    assert told(stage.faulted(100.2, 1, limited(wait_s)))[0] == ("launch", 2, "b", "rate_limited")
    assert told(stage.completed(101.0, 2, EMPTY))[0] == ("launch", 3, "b", "empty")
    return stage, stage.completed(101.2, 3, EMPTY)


def test_an_answer_in_hand_does_not_wait_for_a_rate_limit() -> None:
    stage, effects = empty_beside_a_rate_limit(20.0)
    assert told(effects) == [("deliver", 2), ("finish", "b")]
    assert stage.outcome.reason.startswith("nothing better was found")


def test_but_for_a_model_that_may_be_called_within_a_second() -> None:
    stage, effects = empty_beside_a_rate_limit(1.8)
    assert told(effects) == [("alarm", 102.0)]
    assert told(stage.rang(102.0))[0] == ("launch", 4, "a", "empty")
    assert told(stage.completed(103.0, 4)) == [("deliver", 4), ("finish", "a")]


def test_all_waits_with_an_answer_in_hand_take_a_second_together() -> None:
    for again_s, expected in ((0.3, "alarm"), (0.6, "deliver")):
        stage, _ = empty_beside_a_rate_limit(1.6, retry={"per_target": 2, "attempts": 6, "wait": 0.0})
        assert told(stage.completed(101.2, 4, EMPTY)) == [("alarm", 101.8)]
        stage.rang(101.8)
        assert told(stage.faulted(102.0, 5, limited(again_s)))[0][0] == expected


def test_with_an_answer_in_hand_a_full_model_is_waited_for_a_second_and_not_called_beyond_its_learned_limit() -> None:
    stage = Stage("ab", stream=False, retry={"per_target": 0}, policy="single")
    board = stage.router.board
    permits = [board.admit("b", 99.0) for _ in range(5)]
    for permit in permits:
        assert isinstance(permit, Permit)
        board.settle(permit, Verdict(False, blame="none", overloaded=True), 99.0)
    assert all(isinstance(board.admit("b", 99.0), Permit) for _ in range(4))
    stage.begin()
    assert told(stage.completed(101.0, 1, EMPTY))[0][0] == "alarm"
    assert told(stage.rang(102.0)) == [("deliver", 1), ("finish", "a")]


def test_the_waits_of_a_request_are_within_max_wait_s_together() -> None:
    stage = Stage("a", retry={"per_target": 2, "max_wait_s": 30.0})
    stage.begin()
    assert told(stage.faulted(101.0, 1, limited(20.0))) == [("alarm", 121.0)]
    assert told(stage.rang(121.0))[0] == ("launch", 2, "a", "rate_limited")
    assert told(stage.faulted(140.0, 2, limited(20.0))) == [("finish", None)]
    said = "It asks to wait 20 s, retry.max_wait_s is 30 s, 20.0 s of which were waited before. Raise that"
    assert said in str(stage.error)


@pytest.mark.parametrize("waited_s", [20.0, 10.0])
def test_the_time_of_attempts_is_no_wait(waited_s: float) -> None:
    stage = Stage("a", retry={"per_target": 2, "max_wait_s": 30.0})
    stage.begin()
    stage.faulted(150.0, 1, limited(waited_s))
    stage.rang(150.0 + waited_s)
    assert told(stage.faulted(250.0, 2, limited(30.0 - waited_s))) == [("alarm", 280.0 - waited_s)]


def test_a_stream_that_broke_off_is_continued_after_a_wait_whatever_answer_was_in_hand_before() -> None:
    stage = Stage("abc", able="c", resumable=True, resume=True, policy="single", retry={"per_target": 0})
    stage.begin()
    permit = stage.router.board.admit("c", 100.5)
    assert isinstance(permit, Permit)
    stage.router.board.settle(permit, Verdict(False, blame="gate", retry_after_s=9.5), 100.5)
    assert told(stage.completed(101.0, 1, EMPTY))[0] == ("launch", 2, "b", "empty")
    stage.chunk(102.0, 2)
    assert told(stage.faulted(103.0, 2, CUT, Reply(text="half", usage=Usage(10, 2)))) == [("alarm", 110.0)]
    assert told(stage.rang(110.0))[0] == ("launch", 3, "c", "connection")
