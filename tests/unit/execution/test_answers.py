"""Which reply the machine hands on as the answer: whole, poor, cut off, withheld, and what it does with the others."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import CUT, Stage, told

from capability_router import AllCandidatesFailed, Reply, StreamInterrupted, Usage
from capability_router.faults.kinds import Fault
from capability_router.request import Finish


def test_a_poor_reply_is_kept_until_something_better_is_found() -> None:
    better = Stage("ab", stream=False)
    better.begin()
    poor = Reply(usage=Usage(10, 0), finish=Finish.STOP)
    assert told(better.completed(101.0, reply=poor))[0] == ("launch", 2, "b", "empty")
    assert told(better.completed(102.0, 2)) == [("deliver", 2), ("finish", "b")]
    assert better.outcome.reason == "fallback: a gave an empty answer: no text and no tool call"


def test_the_first_poor_reply_is_handed_on_when_nothing_better_is_found() -> None:
    stage = Stage("ab", stream=False, retry={"per_target": 0})
    stage.begin()
    poor = Reply(usage=Usage(10, 1), finish=Finish.STOP)
    stage.completed(101.0, reply=poor)
    worse = Reply(usage=Usage(10, 2), finish=Finish.STOP)
    assert told(stage.completed(102.0, 2, reply=worse)) == [("deliver", 1), ("finish", "a")]
    outcome = stage.outcome
    assert (outcome.usage, stage.machine.reply, stage.run.attempt) == (Usage(10, 1), poor, 1)
    assert outcome.reason == "nothing better was found: a gave an empty answer: no text and no tool call"


def test_a_poor_reply_with_something_in_it_is_better_than_an_empty_one() -> None:
    stage = Stage(stream=False, retry={"per_target": 0})
    stage.begin()
    stage.completed(101.0, reply=Reply(usage=Usage(10, 1), finish=Finish.STOP))
    broken = Reply(usage=Usage(10, 2), finish=Finish.TOOL_CALLS, malformed_tool_calls=1)
    stage.completed(102.0, 2, reply=broken)
    assert told(stage.faulted(103.0, 3)) == [("deliver", 2), ("finish", "b")]


def test_of_two_poor_replies_with_something_in_them_the_first_is_handed_on() -> None:
    stage = Stage("ab", stream=False, retry={"per_target": 0})
    stage.begin()
    broken = Reply(usage=Usage(10, 2), finish=Finish.TOOL_CALLS, malformed_tool_calls=1)
    stage.completed(101.0, reply=broken)
    assert told(stage.completed(102.0, 2, reply=broken)) == [("deliver", 1), ("finish", "a")]


def test_a_whole_reply_that_was_cut_off_is_handed_on_when_nothing_better_is_found() -> None:
    stage = Stage("ab", stream=False, retry={"per_target": 0})
    stage.router._dispatch.unary_reason_models.add("a")
    stage.begin()
    stage.completed(101.0, reply=Reply(text="text", usage=Usage(1, 1)))
    assert told(stage.faulted(102.0, 2)) == [("deliver", 1), ("finish", "a")]


def test_one_that_its_provider_calls_an_error_is_not() -> None:
    stage = Stage("ab", stream=False, retry={"per_target": 0})
    stage.begin()
    stage.completed(101.0, reply=Reply(text="half", usage=Usage(1, 1), finish=Finish.ERROR))
    assert told(stage.faulted(102.0, 2)) == [("finish", None)]
    assert isinstance(stage.error, AllCandidatesFailed)


def test_a_whole_reply_without_a_reason_is_an_answer_where_none_was_ever_given() -> None:
    stage = Stage(stream=False)
    stage.begin()
    assert told(stage.completed(101.0, reply=Reply(text="text", usage=Usage(1, 1)))) == [
        ("deliver", 1),
        ("finish", "a"),
    ]


def test_a_cut_off_reply_is_no_poor_one() -> None:
    stage = Stage("ab", retry={"per_target": 0})
    stage.router._dispatch.finish_reason_models.add("a")
    stage.begin()
    effects = stage.completed(101.0, reply=Reply(text="", usage=Usage(10, 0)))
    assert told(effects)[0] == ("launch", 2, "b", "truncated")
    assert told(stage.faulted(102.0, 2)) == [("finish", None)]
    assert isinstance(stage.error, AllCandidatesFailed)


def test_who_gave_a_reason_once_is_held_to_it() -> None:
    stage = Stage()
    stage.begin()
    assert not stage.router._dispatch.finish_reason_models
    stage.chunk(101.0)
    stage.completed(102.0)
    assert stage.router._dispatch.finish_reason_models == {"a"}
    silent = Stage()
    silent.begin()
    silent.chunk(101.0)
    silent.completed(102.0, reply=Reply(text="text", usage=Usage(1, 1)))
    assert silent.outcome.model == "a"
    assert not silent.router._dispatch.finish_reason_models


def test_a_whole_reply_that_tells_why_it_ended_says_nothing_of_streams() -> None:
    stage = Stage(stream=False)
    stage.begin()
    stage.completed(101.0)
    dispatch = stage.router._dispatch
    assert (dispatch.finish_reason_models, dispatch.unary_reason_models) == (set(), {"a"})
    silent = Reply(text="text", usage=Usage(1, 1))
    again = Stage("ab", stream=False, retry={"per_target": 0})
    again.router._dispatch.unary_reason_models.add("a")
    again.begin()
    assert told(again.completed(101.0, reply=silent))[0] == ("launch", 2, "b", "truncated")
    streamed = Stage()
    streamed.router._dispatch.unary_reason_models.add("a")
    streamed.begin()
    streamed.chunk(101.0)
    streamed.completed(102.0, reply=silent)
    assert streamed.outcome.model == "a"


def test_a_committed_stream_without_its_reason_is_told_with_its_text() -> None:
    stage = Stage()
    stage.router._dispatch.finish_reason_models.add("a")
    stage.begin()
    stage.chunk(101.0)
    assert told(stage.completed(102.0, reply=Reply(text="half", usage=Usage(1, 1)))) == [("finish", None)]
    assert isinstance(stage.error, StreamInterrupted)
    assert stage.error.partial == "half"


@pytest.mark.parametrize("reason", [Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS])
def test_a_stream_that_breaks_after_its_terminal_reason_was_whole(reason: Finish) -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    whole = Reply(text="text", usage=Usage(10, 3), finish=reason)
    assert told(stage.faulted(102.0, 1, CUT, whole)) == [("finish", "a")]
    assert (stage.error, stage.outcome.finish, stage.machine.reply) == (None, reason, whole)
    assert [r.fault for r in stage.records] == [None]


@pytest.mark.parametrize("reason", [None, Finish.OTHER, Finish.ERROR, Finish.OVERLOADED, Finish.MALFORMED_CALL])
def test_a_stream_that_breaks_without_one_or_with_one_that_may_be_the_failure_was_not(reason: Finish | None) -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    assert told(stage.faulted(102.0, 1, CUT, Reply(text="half", finish=reason))) == [("finish", None)]
    assert isinstance(stage.error, StreamInterrupted)


def test_what_has_given_nothing_is_not_whole_whatever_its_reason() -> None:
    stage = Stage()
    stage.begin()
    assert told(stage.faulted(102.0, 1, CUT, Reply(finish=Finish.STOP)))[0] == ("launch", 2, "b", "connection")


@pytest.mark.parametrize("reason", [Finish.CONTENT_FILTER, Finish.REFUSAL])
@pytest.mark.parametrize("wish", ["return", "fallback"])
def test_what_was_withheld_before_its_first_content_is_an_answer_though_its_stream_breaks(
    reason: Finish, wish: str
) -> None:
    stage = Stage(on_content_filter=wish)
    stage.begin()
    effects = told(stage.faulted(102.0, 1, CUT, Reply(usage=Usage(10, 0), finish=reason)))
    if wish == "return":
        assert effects == [("deliver", 1), ("finish", "a")]
        assert (stage.error, stage.outcome.finish) == (None, reason)
    else:
        assert effects[0][:3] == ("launch", 2, "b")
        assert effects[0][3] in ("content_filtered", "refusal")


def test_what_the_model_itself_is_to_blame_for_is_judged_by_its_fault() -> None:
    stage = Stage()
    stage.begin()
    effects = told(stage.faulted(102.0, 1, "auth", Reply(finish=Finish.CONTENT_FILTER)))
    assert effects[0] == ("launch", 2, "b", "auth")


def test_a_connection_that_broke_before_any_content_was_never_reached() -> None:
    stage = Stage()
    stage.begin()
    stage.faulted(101.0, 1, CUT)
    assert stage.records[0].detail == "could not be reached: reset"
    stage.chunk(102.0, 2)
    stage.faulted(103.0, 2, CUT)
    assert stage.records[1].detail == "lost its connection: reset"


def test_what_a_filter_has_cut_is_not_whole_whatever_its_reason() -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    filtered = Fault("content_filtered")
    assert told(stage.faulted(102.0, 1, filtered, Reply(text="half", finish=Finish.STOP))) == [("finish", None)]
    assert isinstance(stage.error, StreamInterrupted)


@pytest.mark.parametrize("flaw", [{"malformed_tool_calls": 1}, {"parse_error": "E"}])
def test_a_committed_answer_that_nobody_may_use_is_told_and_its_model_stays_in_health(flaw: dict[str, Any]) -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    reply = Reply(text="text", usage=Usage(1, 1), finish=Finish.TOOL_CALLS, **flaw)
    assert told(stage.completed(102.0, reply=reply)) == [("finish", None)]
    assert isinstance(stage.error, StreamInterrupted)
    assert stage.error.partial == "text"
    assert [row["failed"] for row in stage.router.health() if row["model"] == "a"] == [0]


def test_a_misfit_that_the_caller_sees_ends_as_an_answer_and_its_fault_is_recorded() -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    reply = Reply(text="text", usage=Usage(1, 1), finish=Finish.STOP, parse_error="E", mismatch_streamed=True)
    assert told(stage.completed(102.0, reply=reply)) == [("finish", "a")]
    assert stage.error is None
    assert [record.fault for record in stage.records] == ["unparsable"]
    assert stage.outcome.reason == "nothing better was found: a gave an answer that does not fit the schema: E"


def test_a_malformed_call_that_the_caller_sees_ends_so_too() -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    reply = Reply(usage=Usage(1, 1), finish=Finish.TOOL_CALLS, malformed_tool_calls=1, mismatch_streamed=True)
    assert told(stage.completed(102.0, reply=reply)) == [("finish", "a")]
    assert stage.error is None
    assert [record.fault for record in stage.records] == ["malformed_tool_call"]


def test_a_misfit_whose_stream_lacks_its_reason_is_cut_off() -> None:
    stage = Stage()
    stage.router._dispatch.finish_reason_models.add("a")
    stage.begin()
    stage.chunk(101.0)
    stage.completed(102.0, reply=Reply(text="text", usage=Usage(1, 1), parse_error="E", mismatch_streamed=True))
    assert isinstance(stage.error, StreamInterrupted)


def test_one_that_is_merely_empty_is_an_answer() -> None:
    stage = Stage()
    stage.begin()
    stage.chunk(101.0)
    assert told(stage.completed(102.0, reply=Reply(finish=Finish.STOP))) == [("finish", "a")]


@pytest.mark.parametrize("kind", ["content_filtered", "refusal"])
@pytest.mark.parametrize("wish", ["return", "fallback"])
def test_filtered_content_moves_on_only_where_that_is_wanted(kind: str, wish: str) -> None:
    stage = Stage(on_content_filter=wish)
    stage.begin()
    effects = told(stage.faulted(101.0, fault=kind))
    assert effects[0] == (("launch", 2, "b", kind) if wish == "fallback" else ("finish", None))


@pytest.mark.parametrize("kind", ["length", "malformed_tool_call"])
def test_other_faults_of_that_sort_move_on_whatever_is_wished_of_filters(kind: str) -> None:
    stage = Stage()
    stage.begin()
    assert told(stage.faulted(101.0, fault=kind))[0] == ("launch", 2, "b", kind)
