"""Each change of a model's health is told once: degradations and gates begin and end, for all who share them."""

from __future__ import annotations

import logging

import pytest

from capability_router.address import Address
from capability_router.faults.kinds import Fault
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Permit, Verdict
from capability_router.testing import ask, scripted_router

OK = Verdict(True, elapsed_s=1.0)
DOWN = Verdict(False, blame="breaker")


class Told:
    """Two models behind one breaker and one gate, and what is told of them."""

    def __init__(self) -> None:
        self.events: list[HealthEvent] = []
        self.board = HealthBoard(BreakerConfig(consecutive=9), seed=1, on_event=self.events.append)
        self.board.register("a", Address("https://x", "m"))
        self.board.register("twin", Address("https://x", "m"))

    def call(self, id: str, verdict: Verdict, at: float) -> None:
        permit = self.board.admit(id, at)
        if not isinstance(permit, Permit):
            permit = self.board.force(id, at)
        assert isinstance(permit, Permit)
        self.board.settle(permit, verdict, at)

    def look(self, at: float) -> None:
        """As planning does: at every model."""
        for id in ("a", "twin"):
            self.board.condition(id, at)

    @property
    def all(self) -> list[tuple[str, str, float]]:
        return [(event.kind, event.model, event.at) for event in self.events]


def test_a_degradation_is_told_once_however_many_calls_fail_and_ends_with_its_time() -> None:
    told = Told()
    for at in (1.0, 1.5, 2.0, 2.5):
        told.call("a", DOWN, at)
        told.look(at)
    assert told.all == [("degraded", "a", 1.5)]
    assert told.events[0].detail == "2 of the last 2 calls failed; other models are preferred for 2.5 s"
    told.look(4.9)
    told.look(5.0)
    told.look(9.0)
    assert told.all[1:] == [("recovered", "a", 5.0)]
    assert told.events[1].detail == "its time is over"


def test_a_degradation_ends_with_good_calls_and_another_begins() -> None:
    told = Told()
    for at in (1.0, 1.1):
        told.call("twin", DOWN, at)
    for n in range(7):
        told.call("a", OK, 1.2 + n / 10)
    assert told.all == [("degraded", "twin", 1.1), ("recovered", "a", pytest.approx(1.8))]
    assert told.events[1].detail == "ended before its time"
    told.call("a", DOWN, 2.0)
    told.call("a", DOWN, 2.1)
    told.call("a", DOWN, 9.0)  # nobody has looked since the degradation was over
    told.call("a", DOWN, 9.1)
    assert [kind for kind, _, _ in told.all[2:]] == ["degraded", "recovered", "degraded"]


def test_a_gate_is_told_to_close_and_to_open_once() -> None:
    told = Told()
    limited = Verdict(False, blame="gate", retry_after_s=20.0)
    permits = [told.board.admit("a", 1.0) for _ in range(3)]
    for permit in permits:
        assert isinstance(permit, Permit)
        told.board.settle(permit, limited, 2.0)
    assert told.all == [("rate_limited", "a", 2.0)]
    told.look(21.9)
    told.look(22.0)
    told.look(30.0)
    assert told.all[1:] == [("rate_limit_over", "a", 22.0)]
    told.call("twin", limited, 40.0)
    told.call("twin", OK, 50.0)  # forced through, and answered
    assert told.all[2:] == [("rate_limited", "twin", 40.0), ("rate_limit_over", "twin", 50.0)]
    told.call("twin", limited, 60.0)
    told.call("twin", limited, 90.0)  # nobody has looked between
    assert [kind for kind, _, _ in told.all[4:]] == ["rate_limited", "rate_limit_over", "rate_limited"]


def test_what_a_person_does_ends_both() -> None:
    told = Told()
    for _ in range(2):
        told.call("a", DOWN, 1.0)
    told.call("a", Verdict(False, blame="gate", retry_after_s=20.0), 1.0)
    told.board.reset("twin", 2.0)
    told.board.isolate("a", 3.0)
    told.board.reset("a", 4.0)
    kinds = [kind for kind, _, _ in told.all]
    assert kinds == ["degraded", "rate_limited", "recovered", "rate_limit_over", "reset", "isolated", "reset"]


def test_they_are_written_with_the_records_and_logged_as_what_needs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "capability_router")
    limited = Fault("rate_limited", retry_after_s=5.0)
    router = scripted_router({"a": ["overloaded", "overloaded", limited, "ok"], "b": ["ok"]}, retry={"attempts": 2})
    kept: list[dict[str, object]] = []
    router.add_sink(kept.append)
    for pause in (0.0, 1.0, 3.0, 6.0):
        router.clock.sleep(pause)
        ask(router)
    router.close()
    lines = [(record["event"], record["model"]) for record in kept if record["kind"] == "health"]
    assert lines == [("degraded", "a"), ("recovered", "a"), ("rate_limited", "a"), ("rate_limit_over", "a")]
    levels = {record.message.split(": ")[1]: record.levelname for record in caplog.records}
    assert (levels["degraded"], levels["rate limited for 5.0 s"], levels["rate limit over"]) == (
        "INFO",
        "WARNING",
        "INFO",
    )
