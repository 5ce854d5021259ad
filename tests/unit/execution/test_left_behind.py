"""What attempts leave behind: what health hears of them, and what a request that is over still holds."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from unit.execution.staged import HEDGE, Stage

from capability_router import Reply, Request
from capability_router.execution.events import AlarmRang
from capability_router.faults.kinds import Fault
from capability_router.health.board import Hold, Permit, Verdict
from capability_router.testing import ScriptedEndpoint, ask, assert_books_balanced, scripted_router

# -- what health hears of it ----------------------------------------------------------------------


@pytest.mark.parametrize("heard", [True, False])
def test_streams_that_have_begun_to_come_are_not_silent(heard: bool) -> None:
    stages = [Stage("a")]
    board = stages[0].router.board
    for _ in range(20):
        permit = board.admit("a", 90.0)
        assert isinstance(permit, Permit)
        board.settle(permit, Verdict(True, ttft_s=1.0, elapsed_s=3.0, output_tokens=50), 93.0)
    stages.append(stages[0].again())
    for stage in stages:
        stage.begin()
        if heard:
            stage.chunk(101.0)
    assert board.condition("a", 110.0).held.startswith("2 calls silent") is not heard


def test_a_call_that_this_process_cut_off_too_late_is_not_held_against_its_model() -> None:
    stage = Stage("ab", timeouts={"first_token": 5.0})
    stage.begin()
    stage.feed(AlarmRang(108.0, {}, 3.0))
    row = stage.router.health()[0]
    assert (row["neutral"], row["failed"]) == (1, 0)
    assert "3.00 s late, for this program was busy" in stage.records[0].detail


@pytest.mark.parametrize(("stream", "waited_s"), [(True, 9.0), (False, None)])
def test_a_time_limit_teaches_how_long_a_first_token_takes_only_where_one_was_waited_for(
    stream: bool, waited_s: float | None
) -> None:
    stage = Stage("a", stream=stream, timeouts={"total": 9.0}, retry={"per_target": 0})
    stage.begin()
    stage.rang(109.0)
    assert stage.router.health()[0]["ttft_s"] == waited_s


# -- what is left ---------------------------------------------------------------------------------


class Reset(ConnectionError):
    """One that can be watched being forgotten."""


def test_a_request_that_is_over_holds_nothing_of_what_its_attempts_raised() -> None:
    """An exception holds the frames that it came through, and with them the request."""
    error = Reset("by peer")
    held = weakref.ref(error)
    stage = Stage()
    stage.begin()
    stage.faulted(101.0, fault=Fault("connection", error=error))
    stage.completed(102.0, 2)
    del error
    assert held() is None
    assert [record.fault for record in stage.records] == ["connection", None]


def test_nor_what_broke_an_answer_off_that_was_gone_on_with() -> None:
    error = Reset("by peer")
    held = weakref.ref(error)
    stage = Stage(resumable=True, able="b", resume=True)
    stage.begin()
    stage.chunk(101.0)
    stage.faulted(102.0, fault=Fault("connection", error=error), reply=Reply(text="half"))
    stage.chunk(103.0, 2)
    stage.completed(104.0, 2)
    del error
    assert held() is None
    assert stage.outcome.resumed == 1


def test_a_stream_that_its_reader_closes_stays_counted_in_the_limit_per_minute() -> None:
    router = scripted_router({"a": ["one two"] * 3}, cards={"a": {"limits": {"rpm": 3}}})
    for _ in range(3):
        chunks = iter(router.start(Request(("hi",), stream=True), _endpoint(router)))
        next(chunks)
        chunks.close()
    assert isinstance(router.board.admit("a", router.clock.now()), Hold)
    assert_books_balanced(router)


def _endpoint(router: Any) -> ScriptedEndpoint:
    return ScriptedEndpoint(router.scripted, router.clock, stream=True)


class Broken(Exception):
    """What a defect of the books may raise."""


@pytest.mark.parametrize("what", ["open", "settle"])
@pytest.mark.parametrize("stream", [True, False])
def test_books_that_raise_cost_the_model_no_place(what: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise Broken

    router = scripted_router({"a": ["ok"]}, cards={"a": {"limits": {"concurrency": 1}}})
    monkeypatch.setattr(router.ledger, what, broken)
    with pytest.raises(Broken):
        ask(router, stream=stream)
    assert router.health()[0]["in_flight"] == 0


def test_nor_does_it_cost_the_hedge_beside_it_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise Broken

    stage = Stage("ab", hedge=HEDGE)
    stage.begin()
    assert stage.rang(102.0)
    assert [row["in_flight"] for row in stage.router.health()] == [1, 1]
    monkeypatch.setattr(stage.router.ledger, "settle", broken)
    with pytest.raises(Broken):
        stage.cancelled(103.0)
    assert [row["in_flight"] for row in stage.router.health()] == [0, 0]
