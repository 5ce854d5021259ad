"""Single steps of the machine with a second attempt beside the first, and with an answer that is gone on with."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import CUT, HEDGE, Stage, told

from capability_router import Reply, Usage, routing
from capability_router.faults.kinds import Fault
from capability_router.health.board import Permit, Verdict
from capability_router.request import Finish

LAUNCHED = ("launch", 1, "a", "")
FELL_BACK = ("launch", 2, "b", "overloaded")
HEDGED = ("launch", 2, "b", "silence")


# -- hedges ---------------------------------------------------------------------------------------


def test_a_silent_attempt_gets_a_second_beside_it_and_the_first_to_speak_is_the_answer() -> None:
    stage = Stage(hedge=HEDGE)
    assert stage.machine.races
    assert told(stage.begin()) == [LAUNCHED, ("alarm", 102.0)]
    assert told(stage.rang(101.9)) == [("alarm", 102.0)]
    assert told(stage.rang(101.9995)) == [HEDGED, ("alarm", None)]
    seen = Reply(usage=Usage(10, 1))
    assert told(stage.chunk(103.0, 2, _1=seen)) == [("abort", 1), ("deliver", 2), ("alarm", None)]
    assert stage.machine.candidate.id == "b"
    assert told(stage.completed(104.0, 2)) == [("finish", "b")]
    assert stage.outcome.reason == "hedge: a was silent for 2.00 s"
    lost, won = stage.records
    assert (lost.fault, lost.detail, lost.usage) == ("cancelled", "cancelled: attempt 2 was faster", Usage(10, 1))
    assert (won.started_s, won.ttft_s, won.detail) == (pytest.approx(1.9995), pytest.approx(1.0005), "")
    assert stage.outcome.ttft_s == pytest.approx(1.0005)
    assert stage.machine.hedged_after == pytest.approx(1.9995)


def test_the_first_may_speak_before_its_hedge() -> None:
    stage = Stage(hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    assert told(stage.chunk(102.5, 1)) == [("abort", 2), ("deliver", 1), ("alarm", None)]
    stage.completed(103.0, 1)
    assert (stage.outcome.reason, stage.machine.hedged_after) == (stage.run.plan.reason, None)


def test_the_first_whole_reply_of_two_is_the_answer() -> None:
    stage = Stage(stream=False, hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    assert stage.chunk(102.5, 1) == ()
    effects = stage.completed(103.0, 2, _1=Reply(usage=Usage(10, 1)))
    assert told(effects) == [("abort", 1), ("deliver", 2), ("finish", "b")]
    assert [r.fault for r in stage.records] == ["cancelled", None]
    assert stage.records[0].usage == Usage(10, 1)


@pytest.mark.parametrize(("stream", "silent_s"), [(True, 0.5), (False, 5.0)])
def test_a_stream_is_late_when_streams_are_and_a_whole_reply_when_those_are(stream: bool, silent_s: float) -> None:
    stage = Stage(stream=stream, hedge={"on": True, "extra": 1.0})
    usual = Verdict(True, ttft_s=0.5, elapsed_s=5.0, output_tokens=100)
    for _ in range(20):
        permit = stage.router.board.admit("a", 90.0)
        assert isinstance(permit, Permit)
        stage.router.board.settle(permit, usual, 90.0)
    ((_, rings_at),) = told(stage.begin())[1:]
    assert rings_at == pytest.approx(100.0 + silent_s, abs=0.01)


def test_where_the_time_of_both_is_over_one_that_had_its_whole_answer_is_the_answer() -> None:
    stage = Stage(stream=False, hedge=HEDGE, timeouts={"total": 4.0})
    stage.begin()
    stage.rang(102.0)
    stage.chunk(103.0, 1)
    whole = Reply(text="text", usage=Usage(10, 3), finish=Finish.STOP)
    assert told(stage.rang(106.5, _1=whole)) == [("abort", 1), ("abort", 2), ("deliver", 1), ("finish", "a")]
    assert [(record.fault, record.model) for record in stage.records] == [(None, "a"), ("cancelled", "b")]


def test_one_that_speaks_in_time_is_not_hedged() -> None:
    stage = Stage(hedge=HEDGE, timeouts={"total": 60.0})
    stage.begin()
    assert told(stage.chunk(101.0)) == [("deliver", 1), ("alarm", 160.0)]


def test_of_two_in_flight_a_failed_one_leaves_the_other_to_go_on() -> None:
    stage = Stage(hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    assert told(stage.faulted(102.5, 2)) == [("alarm", None)]
    assert told(stage.faulted(103.0, 1)) == [("launch", 3, "c", "overloaded"), ("alarm", 105.0)]
    assert told(stage.rang(105.0)) == [("alarm", None)], "nobody is left to hedge with"


def test_a_hedge_is_not_hedged() -> None:
    stage = Stage(hedge={**HEDGE, "extra": 1.0})
    for _ in range(9):
        stage.router._dispatch.hedging.budget.earn()
    stage.begin()
    assert told(stage.rang(102.0)) == [HEDGED, ("alarm", None)]
    assert told(stage.rang(109.0)) == [("alarm", None)]


def test_a_request_that_both_reject_ends_with_the_second_rejection() -> None:
    stage = Stage(hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    assert told(stage.faulted(103.0, 2, "bad_request")) == [("alarm", None)]
    assert told(stage.faulted(104.0, 1, "bad_request", Reply(usage=Usage(10, 1)))) == [("finish", None)]
    assert [(r.fault, r.usage) for r in stage.records] == [("bad_request", Usage(10, 1)), ("bad_request", Usage())]
    assert [f.fault for f in stage.error.failures] == ["bad_request", "bad_request"]


def test_both_may_run_out_of_time_at_once() -> None:
    stage = Stage(hedge=HEDGE, deadline_s=10.0)
    stage.begin()
    assert told(stage.rang(102.0)) == [HEDGED, ("alarm", 110.0)]
    replies = {"_1": Reply(usage=Usage(10, 1)), "_2": Reply(usage=Usage(10, 2))}
    assert told(stage.rang(110.0, **replies)) == [("abort", 1), ("abort", 2), ("finish", None)]
    assert [(r.fault, r.usage) for r in stage.records] == [("timeout", Usage(10, 1)), ("timeout", Usage(10, 2))]


def test_one_that_runs_out_of_time_leaves_its_hedge_alone() -> None:
    stage = Stage(hedge=HEDGE, timeouts={"first_token": 5.0})
    stage.begin()
    assert told(stage.rang(102.0)) == [HEDGED, ("alarm", 105.0)]
    assert told(stage.rang(105.0)) == [("abort", 1), ("alarm", 107.0)]
    assert told(stage.chunk(106.0, 2)) == [("deliver", 2), ("alarm", None)]


def test_an_attempt_that_times_out_when_its_hedge_is_due_is_followed_not_hedged() -> None:
    stage = Stage(hedge=HEDGE, timeouts={"first_token": 2.0})
    stage.begin()
    assert told(stage.rang(102.0)) == [("abort", 1), ("launch", 2, "b", "timeout"), ("alarm", 104.0)]
    assert told(stage.rang(103.0)) == [("alarm", 104.0)]


def test_nobody_is_hedged_when_the_silent_one_has_been_given_up_and_the_next_is_waited_for() -> None:
    stage = Stage("ab", hedge=HEDGE, timeouts={"first_token": 2.0}, card_b={"limits": {"concurrency": 1}})
    stage.router.board.admit("b", 100.0)
    stage.begin()
    (abort, alarm) = told(stage.rang(102.0))
    assert (abort, alarm[0]) == (("abort", 1), "alarm")
    assert 102.0 < alarm[1] <= 102.1


def test_the_alarm_is_the_soonest_of_all_clocks() -> None:
    assert told(Stage(hedge=HEDGE, timeouts={"first_token": 1.0}).begin())[-1] == ("alarm", 101.0)
    assert told(Stage(timeouts={"first_token": 5.0, "total": 3.0}).begin())[-1] == ("alarm", 103.0)
    stage = Stage(hedge=HEDGE, timeouts={"first_token": 5.0}, deadline_s=6.0)
    stage.begin()
    assert told(stage.rang(102.0)) == [HEDGED, ("alarm", 105.0)]
    stage.faulted(102.5, 1)
    assert told(stage.rang(103.0)) == [("alarm", 106.0)]


def test_a_model_of_which_too_little_is_known_is_not_hedged() -> None:
    assert told(Stage(hedge={"on": True, "extra": 1.0}).begin()) == [LAUNCHED, ("alarm", None)]


def test_no_hedge_beyond_the_attempts() -> None:
    stage = Stage(hedge=HEDGE, retry={"attempts": 1})
    stage.begin()
    assert told(stage.rang(102.0)) == [("alarm", None)]
    two = Stage(hedge=HEDGE, retry={"attempts": 2})
    two.begin()
    assert told(two.rang(102.0)) == [HEDGED, ("alarm", None)]


def test_no_hedge_on_what_a_budget_forbids_and_its_permit_is_given_back() -> None:
    stage = Stage("ab", hedge=HEDGE, budgets=[{"scope": "model:b", "limit_usd": 0.0, "on_exceed": "degrade"}])
    stage.begin()
    assert told(stage.rang(102.0)) == [("alarm", None)]
    stage.completed(103.0)
    assert [r.model for r in stage.records] == ["a"]
    assert stage.outcome.model == "a"


def test_cancelling_ends_both() -> None:
    stage = Stage(hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    replies = {"_1": Reply(usage=Usage(10, 1)), "_2": Reply(usage=Usage(10, 2))}
    assert told(stage.cancelled(103.0, **replies)) == [("abort", 1), ("abort", 2), ("finish", None)]
    assert [(r.fault, r.detail, r.usage) for r in stage.records] == [
        ("cancelled", "cancelled", Usage(10, 1)), ("cancelled", "cancelled", Usage(10, 2)),
    ]  # fmt: skip


# -- resuming -------------------------------------------------------------------------------------


def resuming(able: str = "bc", **settings: Any) -> Stage:
    stage = Stage(resumable=True, able=able, **{"resume": True, **settings})
    stage.begin()
    stage.chunk(101.0)
    return stage


def test_a_cut_answer_is_continued_and_its_continuation_delivered() -> None:
    stage = resuming()
    effects = stage.faulted(102.0, fault=CUT, reply=Reply(text="one ", usage=Usage(10, 1)))
    assert told(effects) == [("launch", 2, "b", "connection"), ("alarm", None)]
    assert (effects[0].prefix, stage.run.attempt, stage.machine.candidate.id) == ("one ", 2, "b")
    assert stage.run.begun == (1, "one ")
    assert told(stage.chunk(103.0, 2)) == [("deliver", 2), ("alarm", None)]
    effects = stage.faulted(104.0, 2, CUT, Reply(text="two ", usage=Usage(11, 1)))
    assert (told(effects)[0], effects[0].prefix) == (("launch", 3, "c", "connection"), "one two ")
    stage.completed(105.0, 3, Reply(text="three", usage=Usage(12, 1), finish=Finish.STOP))
    outcome = stage.outcome
    assert (outcome.model, outcome.resumed, outcome.usage) == ("c", 2, Usage(33, 3))
    assert outcome.reason == "resumed on c: b lost its connection: reset"
    assert told_faults(stage) == [("a", "connection"), ("b", "connection"), ("c", None)]


def told_faults(stage: Stage) -> list[tuple[str, str | None]]:
    return [(r.model, r.fault) for r in stage.records]


def test_a_continuation_that_ends_before_its_first_content_is_followed_by_the_next() -> None:
    stage = resuming()
    stage.faulted(102.0, fault=CUT, reply=Reply(text="one "))
    effects = stage.completed(103.0, 2, Reply(usage=Usage(10, 0), finish=Finish.STOP))
    assert told(effects) == [("launch", 3, "c", "empty"), ("alarm", None)]
    assert effects[0].prefix == "one "
    stage.chunk(104.0, 3)
    assert told(stage.completed(105.0, 3)) == [("finish", "c")]
    assert (stage.outcome.resumed, told_faults(stage)) == (1, [("a", "connection"), ("b", "empty"), ("c", None)])


def test_what_broke_the_answer_off_is_the_cause_and_not_why_a_continuation_failed_before_its_first_content() -> None:
    stage = resuming("b")
    cause = ConnectionResetError()
    stage.faulted(102.0, fault=Fault("connection", "gone", error=cause), reply=Reply(text="one "))
    assert told(stage.faulted(103.0, 2, Fault("auth", error=PermissionError()))) == [("finish", None)]
    assert stage.error.__cause__ is cause
    assert ([f.model for f in stage.error.failures], stage.run.begun) == (["a", "b"], (1, "one "))
    assert str(stage.error).startswith("the stream of a broke off")


def test_who_gave_a_part_may_go_on_with_it_and_who_gave_none_is_not_asked_again() -> None:
    """A time-out rules its model out for the same question; a further part of an answer is another one."""
    stage = resuming("a")
    effects = stage.faulted(102.0, fault="timeout", reply=Reply(text="one "))
    assert told(effects)[0] == ("launch", 2, "a", "timeout")
    silent = resuming("b")
    silent.faulted(102.0, fault=CUT, reply=Reply(text="one "))
    assert told(silent.faulted(103.0, 2, "timeout")) == [("finish", None)]


@pytest.mark.parametrize("wish", ["return", "fallback"])
def test_a_continuation_that_is_filtered_is_followed_only_where_that_is_wanted(wish: str) -> None:
    stage = resuming(on_content_filter=wish)
    stage.faulted(102.0, fault=CUT, reply=Reply(text="one "))
    effects = told(stage.faulted(103.0, 2, "content_filtered"))
    assert effects[0] == (("launch", 3, "c", "content_filtered") if wish == "fallback" else ("finish", None))


def test_what_an_sdk_raised_over_a_whole_continuation_reaches_the_caller() -> None:
    stage = resuming()
    own = ValueError("finish reason length")
    stage.faulted(102.0, fault=CUT, reply=Reply(text="one "))
    assert told(stage.faulted(103.0, 2, Fault("length", answered=True, error=own))) == [("finish", None)]
    assert stage.error is own


def test_an_interrupted_answer_names_those_that_gave_it_and_neither_who_failed_before_nor_who_was_slower() -> None:
    after_another = Stage("ab")
    after_another.begin()
    after_another.faulted(101.0)
    after_another.chunk(102.0, 2)
    after_another.faulted(103.0, 2, CUT, Reply(text="one "))
    assert [f.model for f in after_another.error.failures] == ["b"]
    raced = Stage("ab", hedge=HEDGE)
    raced.begin()
    raced.rang(102.0)
    raced.chunk(103.0, 1)
    raced.faulted(104.0, 1, CUT, Reply(text="one "))
    assert [f.model for f in raced.error.failures] == ["a"]
    assert told_faults(raced) == [("a", "connection"), ("b", "cancelled")]


def test_the_one_that_was_slower_may_go_on_with_the_answer_of_the_one_that_was_faster() -> None:
    stage = Stage("ab", resumable=True, resume=True, able="a", hedge=HEDGE)
    stage.begin()
    stage.rang(102.0)
    assert told(stage.chunk(103.0, 2))[:2] == [("abort", 1), ("deliver", 2)]
    assert told(stage.faulted(104.0, 2, CUT, Reply(text="one ")))[0] == ("launch", 3, "a", "connection")
    stage.chunk(105.0, 3)
    stage.completed(106.0, 3)
    assert (stage.outcome.model, stage.outcome.resumed) == ("a", 1)


def test_a_continuation_is_not_hedged_whatever_rings_later() -> None:
    stage = resuming(hedge=HEDGE, timeouts={"total": 20.0})
    effects = stage.faulted(102.0, fault=CUT, reply=Reply(text="one "))
    assert told(effects) == [("launch", 2, "b", "connection"), ("alarm", 122.0)]
    stage.chunk(103.0, 2)
    effects = stage.rang(122.0, _2=Reply(text="two "))
    assert told(effects) == [("abort", 2), ("launch", 3, "c", "timeout"), ("alarm", 142.0)]


def test_an_answer_that_falls_silent_is_continued_and_not_hedged_beside_that() -> None:
    """Two attempts in flight behind a commitment would mix two models' texts."""
    stage = resuming(hedge=HEDGE)
    effects = stage.rang(110.0, _1=Reply(text="one "))
    assert told(effects) == [("abort", 1), ("launch", 2, "b", "timeout"), ("alarm", None)]


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (CUT, Reply(text=" \n")), (CUT, Reply(text="one ", tool_calls=1)),
        (CUT, Reply(text="one ", malformed_tool_calls=1)), (Fault("content_filtered"), Reply(text="one ")),
    ],
)  # fmt: skip
def test_what_cannot_be_continued_ends_with_its_text(fault: Fault, reply: Reply) -> None:
    stage = resuming()
    assert told(stage.faulted(102.0, fault=fault, reply=reply)) == [("finish", None)]
    assert stage.error.partial == reply.text
    assert stage.outcome.resumed == 0


@pytest.mark.parametrize(("at", "resumes"), [(104.9, True), (105.0, False)])
def test_nothing_is_continued_at_the_deadline(at: float, resumes: bool) -> None:
    stage = resuming(deadline_s=5.0)
    effects = told(stage.faulted(at, fault=CUT, reply=Reply(text="one ")))
    assert (effects[0][0] == "launch") is resumes
    stage.cancelled(at)
    assert stage.outcome.model is None


def test_an_answer_is_continued_as_often_as_there_are_attempts() -> None:
    stage = resuming(retry={"attempts": 2})
    assert told(stage.faulted(102.0, fault=CUT, reply=Reply(text="one ")))[0][0] == "launch"
    stage.chunk(102.5, 2)
    assert told(stage.faulted(103.0, 2, CUT, Reply(text="two "))) == [("finish", None)]
    assert stage.error.partial == "one two "
    outcome = stage.outcome
    assert (outcome.model, outcome.resumed) == (None, 0)


def test_a_continuation_that_a_budget_forbids_ends_with_the_text_and_holds_nothing() -> None:
    stage = resuming("b", budgets=[{"scope": "model:b", "limit_usd": 0.0, "on_exceed": "degrade"}])
    assert told(stage.faulted(102.0, fault=CUT, reply=Reply(text="one "))) == [("finish", None)]
    assert stage.error.partial == "one "
    assert stage.outcome.model is None


def test_a_hedge_that_a_budget_forbids_leaves_its_share_to_the_next_request() -> None:
    cap = {"scope": "model:b", "limit_usd": 0.000_001, "on_exceed": "degrade"}
    first = Stage(hedge={**HEDGE, "extra": 0.5}, budgets=[cap], card_b={"max_output_tokens": 1_000})
    first.begin()
    first.completed(101.0)
    denied = first.again()
    denied.begin()
    assert told(denied.rang(102.0)) == [("alarm", None)]
    denied.completed(103.0)
    with routing(deny=["b"]):
        third = first.again()
    third.begin()
    assert told(third.rang(102.0)) == [("launch", 2, "c", "silence"), ("alarm", None)]
