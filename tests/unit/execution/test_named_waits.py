"""A provider that fails and names a wait (a 503 with Retry-After): no request calls it before that time."""

from __future__ import annotations

import pytest
from unit.execution.staged import Stage, told

from capability_router.faults.kinds import Fault
from capability_router.health.permit import Hold, Permit, Verdict

ASKED_S = 60.0
KINDS = ["overloaded", "server_error", "timeout", "connection", "unknown", "truncated"]


def asked(kind: str = "overloaded", wait_s: float = ASKED_S) -> Fault:
    return Fault(kind, status=503, retry_after_s=wait_s)


def trip(stage: Stage, at: float) -> float:
    """Open the breaker of "a"; returns when it closes."""
    for _ in range(5):
        permit = stage.router.board.admit("a", at)
        assert isinstance(permit, Permit)
        stage.router.board.settle(permit, Verdict(False, blame="breaker"), at)
    held = stage.router.board.admit("a", at)
    assert isinstance(held, Hold)
    assert held.kind == "breaker"
    assert held.until is not None
    return held.until


@pytest.mark.parametrize("kind", KINDS)
def test_the_requests_after_it_go_to_another_model_until_then(kind: str) -> None:
    stage = Stage("ab", policy="single")
    stage.begin(100.0)
    assert told(stage.faulted(101.0, fault=asked(kind)))[0] == ("launch", 2, "b", kind)
    stage.completed(102.0, 2)
    for at in (103.0, 101.0 + ASKED_S - 0.1):
        later = stage.again()
        assert told(later.begin(at))[0] == ("launch", 1, "b", "")
        later.completed(at)
    assert isinstance(stage.router.board.admit("a", 101.0 + ASKED_S), Permit)


def test_of_a_lone_model_they_are_told_how_long_it_takes() -> None:
    stage = Stage("a")
    stage.begin(100.0)
    stage.faulted(101.0, fault=asked())
    later = stage.again()
    assert told(later.begin(102.0)) == [("finish", None)]
    assert "a: its provider asks to wait for another 59 s" in str(later.error)
    assert getattr(later.error, "retry_after_s", None) == pytest.approx(59.0)
    assert later.machine.records == []


def test_of_a_lone_model_they_wait_if_it_is_short() -> None:
    stage = Stage("a", retry={"max_wait_s": 30.0})
    stage.begin(100.0)
    stage.faulted(101.0, fault=asked(wait_s=10.0))
    later = stage.again()
    assert told(later.begin(102.0)) == [("alarm", 111.0)]
    assert told(later.rang(111.0))[0] == ("launch", 1, "a", "")


def test_a_lone_model_whose_breaker_is_open_longer_is_called_when_the_wait_is_over_and_not_before() -> None:
    stage = Stage("a", retry={"max_wait_s": 30.0})
    stage.begin(100.0)
    closes = trip(stage, 101.0)
    stage.faulted(101.0, fault=asked(wait_s=closes - 101.0 - 1.0))
    later = stage.again()
    assert told(later.begin(101.5)) == [("alarm", closes - 1.0)]
    assert told(later.rang(closes - 1.0))[0] == ("launch", 1, "a", "")


def test_it_counts_for_the_breaker_as_before() -> None:
    stage = Stage("a")
    for at in range(5):
        permit = stage.router.board.force("a", 101.0 + at)
        assert isinstance(permit, Permit)
        stage.router.board.settle(permit, Verdict(False, blame="breaker", retry_after_s=ASKED_S), 101.0 + at)
    (row,) = stage.router.board.snapshot(105.0)
    assert (row["state"], row["failed"]) == ("open", 5)


def test_an_answer_to_a_call_that_was_sent_later_ends_the_wait() -> None:
    board = Stage("a").router.board
    for at, verdict in ((101.0, Verdict(False, blame="breaker", retry_after_s=ASKED_S)), (102.0, Verdict(True))):
        permit = board.force("a", at)
        assert isinstance(permit, Permit)
        board.settle(permit, verdict, at)
    assert isinstance(board.admit("a", 103.0), Permit)


def test_a_rate_limit_that_lasts_longer_is_told_as_one() -> None:
    board = Stage("a").router.board
    told_waits = (
        ("breaker", 5.0, "its provider asks to wait"),
        ("gate", 50.0, "rate limited"),
        ("breaker", 9.0, "rate"),
    )
    for blame, wait_s, why in told_waits:
        permit = board.force("a", 101.0)
        assert isinstance(permit, Permit)
        board.settle(permit, Verdict(False, blame=blame, retry_after_s=wait_s), 101.0)
        held = board.admit("a", 101.0)
        assert isinstance(held, Hold)
        assert held.reason.startswith(why)
