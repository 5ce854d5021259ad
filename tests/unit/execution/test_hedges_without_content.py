"""One of two attempts under way ends without content and without a fallback: a filter, a refusal, a bad request.

The other one may still answer, so it goes on. If it fails, too, what ended the first decides, as without a hedge.
"""

from __future__ import annotations

import pytest
from unit.execution.staged import GOOD, HEDGE, Stage, told

from capability_router import AllCandidatesFailed, Reply
from capability_router.faults.kinds import Fault
from capability_router.request import Finish

FILTERED, REFUSED = Reply(finish=Finish.CONTENT_FILTER), Reply(finish=Finish.REFUSAL)
REJECTED = [Fault("bad_request", status=400), Fault("content_filtered", status=400)]
WITHHELD = [(FILTERED, "content_filtered"), (REFUSED, "refusal")]
NO_ALARM = ("alarm", None)


def hedged(stream: bool = True, **settings: object) -> Stage:
    """Attempt 1 of "a" and attempt 2 of "b" are under way; "c" is untried."""
    stage = Stage(stream=stream, hedge=HEDGE, **settings)
    stage.begin()
    assert told(stage.rang(102.0))[0] == ("launch", 2, "b", "silence")
    return stage


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("reply", "kind"), WITHHELD)
@pytest.mark.parametrize("first", [1, 2])
def test_an_answer_that_is_withheld_leaves_the_other_to_answer(
    stream: bool, reply: Reply, kind: str, first: int
) -> None:
    stage, other = hedged(stream), 3 - first
    assert told(stage.completed(103.0, first, reply)) == [NO_ALARM]
    assert told(stage.completed(104.0, other)) == [("deliver", other), ("finish", "ab"[other - 1])]
    assert stage.error is None
    assert stage.machine.reply == GOOD
    assert {r.index: r.fault for r in stage.outcome.attempts} == {first: kind, other: None}


@pytest.mark.parametrize("fault", REJECTED, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("first", [1, 2])
def test_a_rejection_leaves_the_other_to_answer(fault: Fault, first: int) -> None:
    stage, other = hedged(), 3 - first
    assert told(stage.faulted(103.0, first, fault)) == [NO_ALARM]
    assert told(stage.chunk(104.0, other)) == [("deliver", other), NO_ALARM]
    assert told(stage.completed(105.0, other)) == [("finish", "ab"[other - 1])]
    assert {r.index: r.fault for r in stage.outcome.attempts} == {first: fault.kind, other: None}


@pytest.mark.parametrize(("reply", "kind"), WITHHELD)
@pytest.mark.parametrize("stream", [True, False])
def test_if_the_other_fails_the_withheld_answer_is_delivered_and_no_third_is_asked(
    reply: Reply, kind: str, stream: bool
) -> None:
    stage = hedged(stream)
    stage.completed(103.0, 2, reply)
    assert told(stage.faulted(104.0, 1)) == [("deliver", 2), ("finish", "b")]
    assert (stage.error, stage.machine.reply, stage.outcome.finish) == (None, reply, reply.finish)
    assert [r.fault for r in stage.outcome.attempts] == ["overloaded", kind]


def test_a_broken_answer_is_no_better_than_one_that_is_withheld() -> None:
    stage = hedged(False)
    stage.completed(103.0, 2, FILTERED)
    cut = Reply(text="cut", finish=Finish.TOOL_CALLS, malformed_tool_calls=1)
    assert told(stage.completed(104.0, 1, cut)) == [("deliver", 2), ("finish", "b")]


@pytest.mark.parametrize("fault", REJECTED, ids=lambda fault: fault.kind)
def test_if_the_other_fails_the_rejection_is_the_error_and_no_third_is_asked(fault: Fault) -> None:
    stage = hedged()
    stage.faulted(103.0, 2, fault)
    assert told(stage.faulted(104.0, 1)) == [("finish", None)]
    assert isinstance(stage.error, AllCandidatesFailed)
    assert "No other model was tried" in str(stage.error)
    assert [r.fault for r in stage.outcome.attempts] == ["overloaded", fault.kind]


def test_if_the_other_runs_out_of_time_it_is_so_too() -> None:
    stage = hedged(timeouts={"first_token": 10.0})
    stage.faulted(103.0, 2, REJECTED[0])
    assert told(stage.rang(110.0)) == [("abort", 1), ("finish", None)]
    assert "the request itself was rejected" in str(stage.error)


def test_with_fallback_a_third_is_asked_as_ever() -> None:
    stage = hedged(on_content_filter="fallback")
    stage.completed(103.0, 2, FILTERED)
    assert told(stage.faulted(104.0, 1))[0] == ("launch", 3, "c", "overloaded")


def test_a_filtered_answer_with_text_is_content_and_ends_the_other() -> None:
    stage = hedged(False)
    part = Reply(text="a part", finish=Finish.CONTENT_FILTER)
    assert told(stage.completed(103.0, 2, part)) == [("abort", 1), ("deliver", 2), ("finish", "b")]


def test_a_lone_attempt_whose_answer_is_withheld_is_the_answer_at_once() -> None:
    stage = Stage()
    stage.begin()
    assert told(stage.completed(101.0, 1, FILTERED)) == [("deliver", 1), ("finish", "a")]
    assert [r.fault for r in stage.outcome.attempts] == [None]
