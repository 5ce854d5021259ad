"""An attempt that is sent later than it was launched, because the program was busy: its time begins when it is sent."""

from __future__ import annotations

from unit.execution.staged import HEDGE, Stage, told


def test_the_timeouts_of_an_attempt_that_is_sent_late_begin_there() -> None:
    stage = Stage("ab", timeouts={"first_token": 4.0})
    assert told(stage.begin())[-1] == ("alarm", 104.0)
    assert told(stage.sent_late(103.0)) == [("alarm", 107.0)]
    assert told(stage.rang(107.0))[:2] == [("abort", 1), ("launch", 2, "b", "timeout")]
    (record,) = stage.records
    assert (record.started_s, record.elapsed_s) == (3.0, 4.0)
    assert "after 4.00 s" in record.detail


def test_the_deadline_of_a_request_stays_when_its_attempt_is_sent_late() -> None:
    stage = Stage("a", timeouts={"total": 4.0}, deadline_s=5.0)
    assert told(stage.begin())[-1] == ("alarm", 104.0)
    assert told(stage.sent_late(103.0)) == [("alarm", 105.0)]
    stage.rang(105.0)
    assert "after 2.00 s, when deadline_s was over" in str(stage.error)


def test_a_hedge_is_put_off_as_long_as_the_attempt_that_it_is_for() -> None:
    stage = Stage("ab", hedge=HEDGE)
    assert told(stage.begin())[-1] == ("alarm", 102.0)
    assert told(stage.sent_late(101.5)) == [("alarm", 103.5)]
    assert told(stage.rang(103.5)) == [("launch", 2, "b", "silence"), ("alarm", None)]
    stage.chunk(104.0, 2)
    assert stage.machine.hedged_after == 2.0


def test_an_attempt_that_has_ended_by_then_is_not_sent() -> None:
    stage = Stage("a")
    stage.begin()
    stage.cancelled(101.0)
    assert stage.sent_late(102.0) == ()
