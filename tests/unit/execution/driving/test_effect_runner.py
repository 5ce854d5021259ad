"""What the drivers share, without a driver: which chunks are held, which attempts still count, how long to wait."""

from __future__ import annotations

import pytest
from unit.execution.driving.shown import Failed, Shown
from unit.execution.staged import HEDGE

from capability_router import AllCandidatesFailed, StreamInterrupted, Usage
from capability_router.execution.driving.effect_runner import AlarmExpired
from capability_router.faults.kinds import Fault


def test_chunks_are_held_until_one_has_content_and_then_given_once() -> None:
    it = Shown()
    assert it.started() == [1]
    assert it.show.took(1, "") is False
    assert it.show.took(1, "") is False
    assert it.show.took(1, "text") is True
    assert it.show.delivering == 1
    assert it.show.held() == ["", "", "text"]
    assert not it.show.held()
    it.show.goes_on(1, "more")
    it.show.ended(1)
    assert it.attempts[1].seen == ["", "", "text", "more"]
    assert not it.show.running
    it.show.check()
    assert it.faults() == [("a", None)]


def test_a_hedge_that_was_beaten_before_it_was_sent_costs_nothing_and_counts_nowhere() -> None:
    it = Shown(hedge=HEDGE, limits_b={"rpm": 1})
    it.started()
    it.clock.sleep(3.0)
    it.show.rang()
    assert [index for index, _ in it.show.started()] == [2]
    assert it.show.took(1, "text") is True
    it.show.ended(1)
    assert it.faults() == [("a", None), ("b", "cancelled")]
    assert it.run._machine.records[1].usage == Usage()
    assert it.router.board.condition("b", it.clock.now()).held == ""


def test_a_request_under_way_has_no_error() -> None:
    it = Shown()
    it.started()
    it.show.check()
    assert it.show.running


def test_a_whole_reply_is_held_until_it_has_ended() -> None:
    it = Shown(stream=False)
    it.started()
    assert it.show.took(1, "text") is False
    it.show.ended(1)
    assert (it.show.held(), it.show.running) == (["text"], False)
    assert it.run.outcome.usage == Usage(10, 1)


def test_what_comes_of_an_attempt_that_is_over_is_not_taken_in() -> None:
    it = Shown()
    it.started()
    it.show.raised(1, Failed("overloaded"))
    assert not it.show.in_flight(1)
    assert it.started() == [2]
    assert it.show.took(1, "late") is False
    it.show.ended(1)
    assert it.show.took(2, "text") is True
    assert it.show.held() == ["text"]
    it.show.ended(2)
    assert it.faults() == [("a", "overloaded"), ("b", None)]


def test_what_had_been_seen_of_a_failed_attempt_is_booked() -> None:
    it = Shown()
    it.started()
    it.show.raised(1, Failed("overloaded"))
    assert it.run._machine.records[0].usage == Usage(10, 1)


def test_an_attempt_that_cannot_be_started_is_a_fault_and_the_next_is_started() -> None:
    it = Shown(broken={1: Failed("auth")})
    assert it.started() == [2]
    it.show.took(2, "text")
    it.show.ended(2)
    assert it.faults() == [("a", "auth"), ("b", None)]
    assert it.run._machine.records[0].usage == Usage()


def test_a_mistake_in_the_callers_code_passes_through_and_leaves_nothing() -> None:
    it = Shown(broken={1: KeyError("mine")})
    with pytest.raises(KeyError, match="mine"):
        it.started()
    assert not it.show.running
    assert it.faults() == [("a", "cancelled")]
    it.show.check()


BARE = Fault("unsupported")


@pytest.mark.parametrize("fault", [BARE, Fault("unsupported", status=400), Fault("unsupported", code="no_tools")])
def test_a_request_that_a_model_does_not_support_goes_to_the_next(fault: Fault) -> None:
    it = Shown()
    it.fault = lambda error: fault  # type: ignore[method-assign]  # whatever is raised
    it.started()
    it.show.raised(1, ValueError("no"))
    assert it.started() == [2]
    it.show.ended(2)
    assert it.faults() == [("a", "unsupported"), ("b", None)]


@pytest.mark.parametrize(
    ("fault", "mistaken"),
    [
        (BARE, True), (Fault("unsupported", status=400), False), (Fault("unsupported", code="no_tools"), False),
        (Fault("overloaded"), False),
    ],
)  # fmt: skip
def test_what_a_package_cannot_do_with_an_answer_that_has_begun_is_its_mistake(fault: Fault, mistaken: bool) -> None:
    it = Shown()
    it.fault = lambda error: fault  # type: ignore[method-assign]  # whatever is raised
    it.started()
    it.attempts[1].finish = None
    it.show.took(1, "text")
    if mistaken:
        with pytest.raises(ValueError, match="no"):
            it.show.raised(1, ValueError("no"))
    else:
        it.show.raised(1, ValueError("no"))
        with pytest.raises(StreamInterrupted):
            it.show.check()
    assert it.faults() == [("a", "cancelled" if mistaken else fault.kind)]


def test_the_end_of_the_program_is_no_fault() -> None:
    it = Shown()
    it.started()
    with pytest.raises(KeyboardInterrupt):
        it.show.raised(1, KeyboardInterrupt())
    assert it.faults() == [("a", "cancelled")]
    assert it.attempts[1].aborted == 1
    blaming = Shown()
    blaming.fault = lambda error: Fault("unknown", error=error)  # type: ignore[method-assign]  # blames models for all
    blaming.started()
    with pytest.raises(KeyboardInterrupt):
        blaming.show.raised(1, KeyboardInterrupt())
    assert blaming.faults() == [("a", "cancelled")]


def test_the_error_that_was_raised_is_the_cause_unless_the_fault_knows_a_better() -> None:
    cause = ValueError("the provider's own")
    for better in (None, cause):
        it = Shown("a", retry={"per_target": 0})
        it.started()
        error = Failed("overloaded", better)
        it.show.raised(1, error)
        with pytest.raises(AllCandidatesFailed) as caught:
            it.show.check()
        assert caught.value.__cause__ is (better or error)


def test_the_attempt_that_loses_is_stopped_and_what_it_had_used_is_booked() -> None:
    it = Shown("abc", hedge=HEDGE)
    it.started()
    it.clock.sleep(2.0)
    it.show.rang()
    assert it.started() == [2]
    assert it.show.took(1, "") is False
    assert it.show.took(2, "text") is True
    assert (it.attempts[1].aborted, it.attempts[2].aborted) == (1, 0)
    assert (it.show.in_flight(1), it.show.in_flight(2)) == (False, True)
    assert it.show.took(1, "late") is False
    assert it.show.held() == ["text"]
    it.show.ended(2)
    assert it.faults() == [("a", "cancelled"), ("b", None)]
    assert [r.usage for r in it.run._machine.records] == [Usage(10, 1), Usage(10, 2)]


def hedged(*, stream: bool) -> Shown:
    it = Shown("abc", stream=stream, hedge=HEDGE)
    it.started()
    it.clock.sleep(2.0)
    it.show.rang()
    it.started()
    return it


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_other_had_used_is_booked_however_the_answer_comes(stream: bool) -> None:
    it = hedged(stream=stream)
    it.show.ended(2)
    assert it.faults() == [("a", "cancelled"), ("b", None)]
    assert [r.usage for r in it.run._machine.records] == [Usage(10, 1), Usage(10, 2)]
    assert it.attempts[1].aborted == 1


def test_a_rejection_by_one_of_two_is_booked_and_the_other_goes_on() -> None:
    it = hedged(stream=True)
    it.show.raised(2, Failed("bad_request"))
    assert (it.attempts[1].aborted, it.run._machine.over) == (0, None)
    it.show.ended(1)
    assert it.faults() == [("a", None), ("b", "bad_request")]
    assert [r.usage for r in it.run._machine.records] == [Usage(10, 1), Usage(10, 2)]


def test_an_alarm_ends_an_attempt_with_what_it_had_used() -> None:
    it = Shown(timeouts={"first_token": 3.0})
    it.started()
    it.clock.sleep(3.0)
    it.show.rang()
    assert it.run._machine.records[0].usage == Usage(10, 1)
    assert (it.attempts[1].aborted, it.started()) == (1, [2])


def test_a_caller_who_goes_away_stops_all_and_starts_none() -> None:
    waiting = Shown()
    waiting.show.cancel()
    assert waiting.started() == []
    it = Shown("abc", hedge=HEDGE)
    it.started()
    it.clock.sleep(2.0)
    it.show.rang()
    it.started()
    it.show.cancel()
    it.show.cancel()
    assert [a.aborted for a in it.attempts.values()] == [1, 1]
    assert [r.usage for r in it.run._machine.records] == [Usage(10, 1), Usage(10, 2)]
    assert (it.show.running, it.faults()) == (False, [("a", "cancelled"), ("b", "cancelled")])


def test_patience_lasts_until_the_alarm() -> None:
    it = Shown(timeouts={"first_token": 3.0})
    assert (it.show.alarm, it.show.patience_s(), it.show.timed) == (103.0, 3.0, True)
    it.clock.sleep(2.0)
    assert it.show.patience_s() == 1.0
    it.clock.sleep(5.0)
    assert it.show.patience_s() == 0.0


def test_patience_begins_anew_when_the_program_was_busy_before_the_call_was_sent() -> None:
    for busy_s, patience_s in ((0.005, 2.995), (2.0, 3.0), (9.0, 3.0)):
        it = Shown(timeouts={"first_token": 3.0})
        it.clock.sleep(busy_s)
        assert it.started() == [1]
        assert it.show.patience_s() == pytest.approx(patience_s)
        assert it.show.lateness.by_s == 0.0


def test_a_deadline_that_has_passed_before_the_call_was_sent_is_the_programs_delay() -> None:
    it = Shown(deadline_s=3.0)
    it.clock.sleep(9.0)
    assert it.started() == [1]
    assert (it.show.alarm, it.show.patience_s(), it.show.lateness.by_s) == (103.0, 0.0, 6.0)


def test_the_alarm_stays_while_a_whole_reply_is_read_and_goes_with_its_end() -> None:
    it = Shown(stream=False, timeouts={"total": 3.0})
    it.started()
    for chunk in ("one", "two"):
        assert it.show.took(1, chunk) is False
        assert it.show.alarm == 103.0
    it.show.ended(1)
    assert (it.show.alarm, it.show.patience_s()) == (None, None)


def test_between_tokens_patience_is_the_shorter_of_the_two() -> None:
    it = Shown(timeouts={"between_tokens": 4.0, "total": 10.0})
    it.started()
    assert it.show.patience_s() == 10.0
    it.show.took(1, "text")
    assert it.show.patience_s() == 4.0
    it.clock.sleep(7.0)
    assert it.show.patience_s() == 3.0


def test_the_next_tokens_clock_runs_without_another() -> None:
    it = Shown(timeouts={"between_tokens": 4.0})
    it.started()
    assert (it.show.patience_s(), it.show.timed) == (None, True)
    it.show.took(1, "text")
    assert (it.show.patience_s(), it.show.alarm) == (4.0, None)


def test_one_that_goes_on_with_an_answer_has_the_first_tokens_time_until_its_first() -> None:
    it = Shown(resume=True, resumable=True, timeouts={"first_token": 9.0, "between_tokens": 4.0})
    it.started()
    it.attempts[1].finish = None
    it.show.took(1, "one ")
    assert (it.show.patience_s(), it.show.held()) == (4.0, ["one "])
    it.show.raised(1, Failed("connection"))
    assert (it.started(), it.show.patience_s()) == ([2], 9.0)
    assert it.show.took(2, "two") is True
    assert (it.show.patience_s(), it.show.held()) == (4.0, ["two"])
    it.show.ended(2)
    assert it.faults() == [("a", "connection"), ("b", None)]


def test_without_a_clock_patience_is_endless() -> None:
    broke = Shown("a", budgets=[{"scope": "global", "limit_usd": 0.0}], timeouts={"between_tokens": 1.0})
    for it in (Shown(), broke):
        assert (it.show.patience_s(), it.show.timed) == (None, False)
    assert not broke.show.running


def test_a_stream_beyond_its_alarm_is_interrupted_a_whole_reply_is_not() -> None:
    it = Shown(timeouts={"total": 3.0})
    it.clock.sleep(2.9)
    it.show.in_time()
    it.clock.sleep(0.1)
    assert it.clock.now() == 103.0
    with pytest.raises(AlarmExpired):
        it.show.in_time()
    whole = Shown(stream=False, timeouts={"total": 3.0})
    whole.clock.sleep(9.0)
    whole.show.in_time()
    Shown().show.in_time()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_turn_is_waited_for_on_the_clock(asynchronous: bool) -> None:
    it = Shown("a", retry={"wait": {"fixed": 2.5}})
    it.started()
    it.show.raised(1, Failed("overloaded"))
    assert it.show.alarm == 102.5
    if asynchronous:
        await it.show.await_turn()
    else:
        it.show.wait_turn()
    assert (it.clock.now(), it.started()) == (102.5, [2])
    late = Shown("a", retry={"wait": {"fixed": 2.5}})
    late.started()
    late.show.raised(1, Failed("overloaded"))
    late.clock.sleep(9.0)
    if asynchronous:
        await late.show.await_turn()
    else:
        late.show.wait_turn()
    assert (late.clock.now(), late.started()) == (109.0, [2])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_has_to_be_paid_for_first_is_started_then(asynchronous: bool) -> None:
    it = Shown("ab", lent=True, budgets=[{"scope": f"model:{id}", "limit_usd": 1.0} for id in "ab"])
    for number, model in enumerate("ab", start=1):
        assert it.started() == []
        if asynchronous:
            await it.show.await_turn()
        else:
            it.show.wait_turn()
        assert it.started() == [number], model
        it.show.raised(number, Failed("auth"))
    with pytest.raises(AllCandidatesFailed):
        it.show.check()
    assert (it.clock.now(), it.faults()) == (100.0, [("a", "auth"), ("b", "auth")])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_is_paid_for_is_no_longer_waited_for(asynchronous: bool) -> None:
    caps = [{"scope": "global", "limit_usd": 1.0}]
    it = Shown("a", lent=True, budgets=caps, retry={"wait": {"fixed": 2.5}})
    for at, started in ((100.0, [1]), (102.5, []), (102.5, [2])):  # its turn comes first, then its money
        if asynchronous:
            await it.show.await_turn()
        else:
            it.show.wait_turn()
        assert (it.clock.now(), it.started()) == (at, started)
        if started == [1]:
            it.show.raised(1, Failed("overloaded"))
    it.show.ended(2)
    assert it.faults() == [("a", "overloaded"), ("a", None)]
