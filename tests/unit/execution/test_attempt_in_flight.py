"""Which of an attempt's clocks ends it, and when."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router.execution.attempt_in_flight import AttemptInFlight
from capability_router.execution.effects import Timeouts


def running(**clocks: Any) -> AttemptInFlight:
    candidate: Any = None
    return AttemptInFlight(1, candidate, candidate, 0.0, Timeouts(**clocks))


@pytest.mark.parametrize(
    ("clocks", "streaming", "end"),
    [
        ({}, True, None), ({"total": 3.0}, True, 3.0), ({"first_token": 2.0}, True, 2.0),
        ({"first_token": 2.0}, False, None), ({"first_token": 2.0, "total": 3.0}, True, 2.0),
        ({"first_token": 4.0, "total": 3.0}, True, 3.0), ({"first_token": 2.0, "total": 3.0}, False, 3.0),
    ],
)  # fmt: skip
def test_the_sooner_of_its_clocks_ends_it(clocks: dict[str, float], streaming: bool, end: float | None) -> None:
    attempt = running(**clocks)
    assert attempt.ends_at(streaming=streaming) == end
    attempt.first_at = 1.0
    assert attempt.ends_at(streaming=streaming) == clocks.get("total")


def test_a_millionth_of_a_second_before_its_end_the_whole_answers_time_is_over() -> None:
    attempt = running(total=1.0)
    assert attempt.clock(0.999999) == attempt.clock(1.5) == "whole answer"
    assert attempt.clock(0.9999985) == "first token"
    attempt.first_at = 0.5
    assert attempt.clock(0.9999985) == "next token"
    assert running().clock(9.0) == "first token"


def test_the_setting_that_ended_it_is_named() -> None:
    attempt = running(total=9.0, first_token=2.0, between_tokens=1.0)
    assert attempt.told(2.0) == "after 2.00 s, the limit of timeouts.first_token"
    attempt.first_at = 1.0
    assert attempt.told(2.0, 0.5).endswith("this program was busy, the limit of timeouts.between_tokens")
    assert attempt.told(9.0) == "after 9.00 s, the limit of timeouts.total"
    assert running().told(2.0) == "after 2.00 s"


def test_the_deadline_is_named_only_where_it_was_the_end() -> None:
    assert running(total=2.0, total_by="deadline_s").told(2.0) == "after 2.00 s, when deadline_s was over"
    assert running(total=2.0, total_by="deadline_s").told(1.0) == "after 1.00 s"
