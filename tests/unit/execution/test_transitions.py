"""What the machine wants done after each event, to the second: launches, alarms, aborts, the end."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import GOOD, HEDGE, NO_CLOCK, Stage, told

from capability_router import AllCandidatesFailed, Reply, RouterBusy, StreamInterrupted, Usage, routing
from capability_router.execution.effects import Timeouts
from capability_router.faults.kinds import Fault
from capability_router.request import Finish

LAUNCHED = ("launch", 1, "a", "")
FELL_BACK = ("launch", 2, "b", "overloaded")
HEDGED = ("launch", 2, "b", "silence")


# -- one attempt ----------------------------------------------------------------------------------


def test_it_launches_the_first_and_the_first_content_makes_it_the_answer() -> None:
    stage = Stage()
    assert told(stage.begin()) == [LAUNCHED, ("alarm", None)]
    assert (stage.machine.candidate, stage.run.attempt, stage.machine.hedged_after) == (None, None, None)
    assert told(stage.chunk(101.5)) == [("deliver", 1), ("alarm", None)]
    assert (stage.machine.candidate.id, stage.run.attempt, stage.run.begun) == ("a", 1, (0, ""))
    assert stage.chunk(101.6) == ()
    assert told(stage.completed(104.0)) == [("finish", "a")]
    assert (stage.machine.candidate.id, stage.machine.reply) == ("a", GOOD)
    outcome = stage.outcome
    assert (outcome.elapsed_s, outcome.ttft_s, outcome.finish, outcome.usage) == (4.0, 1.5, Finish.STOP, Usage(10, 3))
    assert (outcome.provider, outcome.policy, outcome.reason) == ("scripted", "single", stage.run.plan.reason)
    assert (outcome.request_id, outcome.resumed, stage.error) == (stage.run.plan.request_id, 0, None)
    (record,) = stage.records
    assert (record.started_s, record.elapsed_s, record.ttft_s, record.detail) == (0.0, 4.0, 1.5, "")
    assert (record.cost_pico, outcome.cost_pico) == (16_000_000, 16_000_000)


def test_a_whole_reply_is_the_answer_only_when_it_is_complete() -> None:
    stage = Stage(stream=False)
    stage.begin()
    assert stage.chunk(101.5) == ()
    assert stage.machine.candidate is None
    assert told(stage.completed(104.0)) == [("deliver", 1), ("finish", "a")]
    assert (stage.outcome.ttft_s, stage.records[0].ttft_s) == (None, None)  # it has no first token


def test_a_stream_without_content_is_handed_on_when_it_ends() -> None:
    stage = Stage()
    stage.begin()
    calls = Reply(tool_calls=1, usage=Usage(1, 1), finish=Finish.TOOL_CALLS)
    assert told(stage.completed(101.0, reply=calls)) == [("deliver", 1), ("finish", "a")]
    assert stage.outcome.ttft_s is None


def test_nothing_moves_it_after_the_end() -> None:
    stage = Stage()
    stage.begin()
    stage.completed(101.0)
    before = stage.outcome
    for again in (stage.begin, stage.chunk, stage.completed, stage.faulted, stage.rang, stage.cancelled):
        assert again(102.0) == ()
    assert stage.outcome is before


@pytest.mark.parametrize("stream", [True, False])
def test_what_an_ended_attempt_still_says_changes_nothing(stream: bool) -> None:
    stage = Stage(stream=stream, timeouts={"total": 9.0})
    stage.begin()
    assert told(stage.faulted(101.0)) == [FELL_BACK, ("alarm", 110.0)]
    assert stage.chunk(101.5, 1) == ()
    for late in (stage.completed, stage.faulted):
        assert told(late(102.0, 1)) == [("alarm", 110.0)]
    assert [r.fault for r in stage.records] == ["overloaded"]
    stage.completed(103.0, 2)
    assert stage.outcome.model == "b"


# -- clocks ---------------------------------------------------------------------------------------


def test_an_attempt_gets_what_is_left_of_the_deadline_and_no_more_than_its_own_limit() -> None:
    stage = Stage(deadline_s=20.0, timeouts={"total": 15.0, "connect": 1.0})
    launch, _ = stage.begin()
    assert launch.timeouts == Timeouts(connect=1.0, total=15.0)
    launch, alarm = stage.faulted(112.0)
    assert (launch.timeouts, alarm.at) == (Timeouts(connect=1.0, total=8.0, total_by="deadline_s"), 120.0)
    assert told(stage.rang(120.0)) == [("abort", 2), ("finish", None)]
    assert "deadline of 20 s is over" in str(stage.error)
    assert [r.model for r in stage.records] == ["a", "b"]
    told_by = "timed out waiting for the whole answer: after 8.00 s, when deadline_s was over"
    assert stage.records[1].detail == told_by


def test_a_time_out_of_the_attempts_own_names_no_deadline() -> None:
    stage = Stage(deadline_s=20.0, timeouts={"total": 15.0, "first_token": 5.0})
    assert told(stage.begin())[1] == ("alarm", 105.0)
    stage.rang(105.0)
    assert (
        stage.records[0].detail
        == "timed out waiting for the first token: after 5.00 s, the limit of timeouts.first_token"
    )
    whole = Stage(deadline_s=20.0, timeouts={"total": 15.0})
    whole.begin()
    whole.rang(115.0)
    assert (
        whole.records[0].detail == "timed out waiting for the whole answer: after 15.00 s, the limit of timeouts.total"
    )
    shared = Stage(deadline_s=20.0, timeouts={"first_token": 5.0})
    shared.begin()
    shared.rang(105.0)
    assert (
        shared.records[0].detail
        == "timed out waiting for the first token: after 5.00 s, the limit of timeouts.first_token"
    )


def test_the_deadline_alone_bounds_an_attempt() -> None:
    launch, alarm = Stage(deadline_s=20.0).begin()
    assert (launch.timeouts, alarm.at) == (Timeouts(total=20.0, total_by="deadline_s"), 120.0)
    launch, alarm = Stage().begin()
    assert (launch.timeouts, alarm.at) == (NO_CLOCK, None)
    launch, _ = Stage(deadline_s=20.0, timeouts={"total": 20.0}).begin()
    assert launch.timeouts == Timeouts(total=20.0), "its own limit is named where both are the same"


def test_a_requests_own_deadline_goes_before_the_routers_and_changes_nothing_else() -> None:
    with routing(deadline_s=7.0):
        stage = Stage(deadline_s=20.0, timeouts={"connect": 1.0}, retry={"attempts": 2, "max_wait_s": 3.0})
    launch, alarm = stage.begin()
    assert (launch.timeouts, alarm.at) == (Timeouts(connect=1.0, total=7.0, total_by="deadline_s"), 107.0)
    stage.faulted(101.0)
    assert told(stage.faulted(102.0, 2)) == [("finish", None)]


def test_at_the_deadline_nothing_more_is_launched() -> None:
    late = Stage(deadline_s=20.0)
    late.begin()
    assert told(late.faulted(120.0)) == [("finish", None)]
    in_time = Stage(deadline_s=20.0)
    in_time.begin()
    assert told(in_time.faulted(119.9))[0] == FELL_BACK


def test_a_silent_attempt_is_given_up_when_its_time_is_over_and_not_before() -> None:
    stage = Stage(timeouts={"first_token": 5.0})
    assert told(stage.begin()) == [LAUNCHED, ("alarm", 105.0)]
    assert told(stage.rang(104.99)) == [("alarm", 105.0)]
    seen = Reply(text="", usage=Usage(10, 0))
    assert told(stage.rang(104.9995, _1=seen)) == [("abort", 1), ("launch", 2, "b", "timeout"), ("alarm", 109.9995)]
    (record,) = stage.records
    assert record.detail == "timed out waiting for the first token: after 5.00 s, the limit of timeouts.first_token"
    assert record.usage == Usage(10, 0)


def test_an_alarm_a_little_early_rings_and_one_millisecond_more_does_not() -> None:
    stage = Stage(timeouts={"first_token": 5.0})
    stage.begin(0.0)
    assert told(stage.rang(4.9985)) == [("alarm", 5.0)]
    assert told(stage.rang(4.999))[0] == ("abort", 1)
    hedging = Stage(hedge=HEDGE)
    hedging.begin(0.0)
    assert told(hedging.rang(1.9985)) == [("alarm", 2.0)]
    assert told(hedging.rang(1.999)) == [HEDGED, ("alarm", None)]


def test_a_first_token_ends_the_wait_for_it_and_the_whole_answers_clock_runs_on() -> None:
    stage = Stage(timeouts={"first_token": 5.0, "total": 30.0})
    assert told(stage.begin())[1] == ("alarm", 105.0)
    assert told(stage.chunk(103.0)) == [("deliver", 1), ("alarm", 130.0)]
    assert told(stage.rang(130.0, _1=Reply(text="so far"))) == [("abort", 1), ("finish", None)]
    assert isinstance(stage.error, StreamInterrupted)
    assert (stage.error.partial, stage.machine.candidate) == ("so far", None)
    outcome = stage.outcome
    assert (outcome.model, outcome.ttft_s, outcome.reason) == (None, None, stage.run.plan.reason)
    assert outcome.usage == stage.records[0].usage
    assert "waiting for the whole answer" in stage.records[0].detail


def test_the_first_token_of_a_whole_reply_is_not_waited_for() -> None:
    assert told(Stage(stream=False, timeouts={"first_token": 5.0, "total": 30.0}).begin())[1] == ("alarm", 130.0)


def test_a_delivering_stream_that_falls_silent_misses_its_next_token() -> None:
    stage = Stage(timeouts={"first_token": 5.0, "between_tokens": 1.0})
    stage.begin()
    stage.chunk(101.0)
    assert told(stage.rang(102.0)) == [("abort", 1), ("finish", None)]
    assert (
        stage.records[0].detail
        == "timed out waiting for the next token: after 2.00 s, the limit of timeouts.between_tokens"
    )


# -- fallback, waits, the end ---------------------------------------------------------------------


def test_attempts_are_counted_from_the_first() -> None:
    stage = Stage(retry={"attempts": 2})
    stage.begin()
    stage.faulted(101.0)
    assert told(stage.faulted(102.0, 2)) == [("finish", None)]
    assert isinstance(stage.error, AllCandidatesFailed)
    outcome = stage.outcome
    assert (outcome.model, outcome.provider, outcome.ttft_s, outcome.elapsed_s) == (None, "", None, 2.0)
    assert outcome.reason == stage.run.plan.reason
    assert stage.error.elapsed_s == 2.0


def test_a_gated_model_is_waited_for_from_when_nothing_was_in_flight() -> None:
    stage = Stage("a", retry={"max_wait_s": 10.0})
    stage.begin()
    resting = Fault("rate_limited", retry_after_s=9.5)
    assert told(stage.faulted(150.0, fault=resting)) == [("alarm", 159.5)]
    assert told(stage.rang(159.0)) == [("alarm", 159.5)]
    assert told(stage.rang(159.5)) == [("launch", 2, "a", "rate_limited"), ("alarm", None)]


def test_a_wait_of_just_the_allowed_length_is_waited() -> None:
    stage = Stage("a", retry={"max_wait_s": 10.0})
    stage.begin()
    assert told(stage.faulted(150.0, fault=Fault("rate_limited", retry_after_s=10.0))) == [("alarm", 160.0)]


def test_a_longer_wait_than_allowed_ends_it_at_once() -> None:
    stage = Stage("a", retry={"max_wait_s": 10.0})
    stage.begin()
    assert told(stage.faulted(101.0, fault=Fault("rate_limited", retry_after_s=10.5))) == [("finish", None)]


def test_nobody_waits_beyond_the_deadline() -> None:
    stage = Stage("a", deadline_s=8.0)
    stage.begin()
    assert told(stage.faulted(101.0, fault=Fault("rate_limited", retry_after_s=7.5))) == [("finish", None)]


def test_a_first_wait_counts_from_the_beginning() -> None:
    stage = Stage("a", retry={"max_wait_s": 10.0}, card_a={"limits": {"concurrency": 1}})
    other = stage.router.board.admit("a", 100.0)
    alarm = stage.begin()[-1]
    assert 100.0 < alarm.at <= 100.1
    at = 100.0
    while stage.machine.over is None and at < 120.0:
        at = stage.rang(at + 0.1) and at + 0.1
    assert isinstance(stage.error, RouterBusy)
    assert 108.0 < at <= 110.0
    assert not stage.records
    assert other.id == "a"


def test_limits_that_a_provider_tells_are_noted_but_not_from_a_cancelled_attempt(monkeypatch: Any) -> None:
    noted: list[tuple[str, float, float]] = []
    stage = Stage()
    monkeypatch.setattr(stage.router.board, "note_limits", lambda id, _, now, sent: noted.append((id, now, sent)))
    headers = {"x-ratelimit-remaining-requests": "3"}
    stage.begin()
    stage.faulted(101.0, reply=Reply(headers=headers))
    assert noted == [("a", 101.0, 100.0)]
    stage.faulted(102.0, 2)
    assert noted == [("a", 101.0, 100.0)]
    stage.cancelled(103.0, _3=Reply(headers=headers))
    assert noted == [("a", 101.0, 100.0)]
    assert [r.fault for r in stage.records] == ["overloaded", "overloaded", "cancelled"]


def test_a_model_without_a_price_makes_the_whole_cost_unknown() -> None:
    stage = Stage(card_b={"price": None})
    stage.begin()
    stage.faulted(101.0, reply=Reply(usage=Usage(10, 3)))
    stage.completed(102.0, 2)
    assert [r.cost_pico for r in stage.records] == [16_000_000, None]
    assert stage.outcome.cost_pico is None


def test_the_cost_is_that_of_all_attempts() -> None:
    stage = Stage()
    stage.begin()
    stage.faulted(101.0, reply=Reply(usage=Usage(10, 3)))
    stage.completed(102.0, 2)
    assert stage.outcome.cost_pico == 32_000_000


def test_content_that_came_is_booked_although_the_attempt_then_failed() -> None:
    stage = Stage(stream=False)
    stage.begin()
    stage.chunk(100.5)
    stage.faulted(101.0, fault="server_error")
    assert stage.records[0].usage.estimated
    assert stage.records[0].usage.input_tokens > 0


def test_a_caller_who_goes_away_gives_everything_back() -> None:
    stage = Stage()
    stage.begin()
    assert told(stage.cancelled(103.0, _1=Reply(usage=Usage(10, 2)))) == [("abort", 1), ("finish", None)]
    assert stage.error is None
    (record,) = stage.records
    assert (record.fault, record.detail, record.usage) == ("cancelled", "cancelled", Usage(10, 2))
    assert stage.router.health()[0]["neutral"] == 1
    assert (stage.outcome.ttft_s, stage.outcome.usage) == (None, Usage(10, 2))


def test_a_caller_who_goes_away_before_the_first_launch_leaves_nothing() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 1}})
    other = stage.router.board.admit("a", 100.0)
    stage.begin()
    assert len(stage.router.queue) == 1
    assert told(stage.cancelled(100.1)) == [("finish", None)]
    assert (len(stage.router.queue), stage.machine.records, stage.machine.over.outcome.usage) == (0, [], Usage())
    assert other.id == "a"


# -- budgets --------------------------------------------------------------------------------------


def test_a_model_that_a_budget_forbids_is_passed_over() -> None:
    stage = Stage(budgets=[{"scope": "model:a", "limit_usd": 0.0, "on_exceed": "degrade"}])
    assert told(stage.begin())[0] == ("launch", 1, "b", "")
    stage.completed(101.0)
    assert stage.outcome.model == "b"
    assert stage.outcome.reason.startswith("the budget leaves out a: model:a: ")


def test_a_window_that_a_provider_told_stands_in_its_record() -> None:
    stage = Stage()
    stage.begin()
    stage.faulted(101.0, 1, Fault("context_overflow", window=8_192))
    record = stage.records[0]
    assert (record.fault, record.window) == ("context_overflow", 8_192)
