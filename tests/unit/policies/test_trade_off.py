"""What decided is told with all of its terms, once scores have moved a quality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.policies.workloads import CARDS

from capability_router import Request
from capability_router.features import Features
from capability_router.policies.adaptive import Adaptive
from capability_router.policies.base import EligibleModel, PolicyContext


def model(n: int, quality: float, usd: float, seconds: float | None = None, **more: Any) -> EligibleModel:
    """A model that scores moved from 0.5 to this quality; it costs so many dollars and takes so many seconds."""
    return replace(EligibleModel(CARDS[n], quality, int(usd * 1e12), seconds, 0.0, 0, "", believed=0.5), **more)


def told(*rows: EligibleModel, **policy: Any) -> str:
    """The policy's reason for the model that it scores highest."""
    adaptive, scene = Adaptive(**policy), PolicyContext(Request(("x",)), Features(10, 10, "chat", 0.0), rows)
    scores = adaptive.judge(scene).scores
    usable = [at for at, row in enumerate(rows) if not row.held]
    return adaptive.reason(scene, rows[max(usable, key=scores.__getitem__)])


GOOD, CHEAP = model(0, 0.9, 0.001), model(1, 0.6, 0.0001)
NUMBERS = "learned: quality 0.90 at $0.001000; next m1 has 0.60 at $0.000100; a dollar counts 250 quality points"


def test_where_quality_and_cost_decide_nothing_else_is_told() -> None:
    assert told(GOOD, CHEAP).removesuffix("; unlearned it would be m1") == NUMBERS
    slower = model(0, 0.9, 0.001, 3.0), model(1, 0.6, 0.0001, 1.0)
    assert told(*slower).removesuffix("; unlearned it would be m1") == NUMBERS


def test_a_latency_that_decided_is_told_in_seconds_with_their_weight() -> None:
    reason = told(model(0, 0.9, 0.001, 15.0), model(1, 0.6, 0.0001, 1.0))
    assert reason == (
        "learned: quality 0.60 at $0.000100; next m0 has 0.90 at $0.001000; a dollar counts 250 quality points; "
        "by quality and cost alone it would be m0: it takes 15.00 s, not 1.00 s, and a second counts 0.01"
    )


def test_a_queue_counts_as_time_and_an_unknown_latency_is_called_unknown() -> None:
    queued = told(model(0, 0.9, 0.001, 1.0, queue_s=14.0), model(1, 0.6, 0.0001, 1.0))
    assert "m0: it takes 15.00 s, not 1.00 s" in queued
    unknown = told(model(0, 0.9, 0.001), model(1, 0.6, 0.0001, 1.0), model(2, 0.1, 0.001, 15.0))
    assert "m0: its unknown latency counts as 15.00 s, not 1.00 s" in unknown


def test_a_model_that_only_the_latency_puts_behind_is_told_though_another_is_next() -> None:
    reason = told(model(0, 0.9, 0.001, 30.0), model(1, 0.6, 0.0001, 1.0), model(2, 0.58, 0.0001, 1.0))
    assert "next m2 has 0.58" in reason
    assert "by quality and cost alone it would be m0: it takes 30.00 s, not 1.00 s" in reason


def test_staying_with_the_conversations_model_is_told_where_it_decided() -> None:
    reason = told(model(0, 0.9, 0.001), model(1, 0.89, 0.001, stays=True))
    assert reason.startswith("learned: quality 0.89")
    assert "it would be m0: staying with the conversation's model counts 0.02" in reason
    assert "staying" not in told(model(0, 0.8, 0.001), model(1, 0.89, 0.001, stays=True))


def test_a_floor_that_decided_names_the_model_that_it_left_out() -> None:
    reason = told(model(0, 0.75, 0.001), CHEAP, min_quality=0.7)
    assert "quality 0.75" in reason
    assert reason.endswith("; without min_quality 0.7 it would be m1 with 0.60; unlearned it would be m1")
    assert "min_quality" not in told(GOOD, CHEAP, min_quality=0.7), "it would go first anyway"


def test_next_is_the_best_of_those_that_reach_the_floor() -> None:
    reason = told(model(0, 0.75, 0.001), CHEAP, model(2, 0.72, 0.001), min_quality=0.7)
    assert "next m2 has 0.72" in reason


def test_the_model_that_it_would_be_unlearned_reaches_the_floor_unlearned() -> None:
    rows = model(0, 0.9, 0.001, believed=0.8), model(1, 0.9, 0.0001, believed=0.65)
    assert "unlearned it would be m0" in told(*rows, min_quality=0.7)


def test_that_no_model_reaches_the_floor_is_told() -> None:
    assert "; no usable model reaches min_quality 0.95" in told(GOOD, CHEAP, min_quality=0.95)
    held = model(2, 0.99, 0.001, held="cooling down")
    assert "; no usable model reaches min_quality 0.95" in told(GOOD, CHEAP, held, min_quality=0.95)


def test_the_price_told_is_the_plans_own_while_a_model_is_held() -> None:
    held = model(2, 0.99, 0.002, held="cooling down")
    assert "a dollar counts 125 quality points" in told(GOOD, CHEAP, held)


@pytest.mark.parametrize("target", [0.5, 2.0])
def test_with_a_latency_target_its_own_text_tells_the_weight(target: float) -> None:
    reason = told(model(0, 0.9, 0.001, 15.0), model(1, 0.6, 0.0001, 1.0), latency_target_s=target)
    assert "m0: it takes 15.00 s, not 1.00 s; " in reason
    assert "and a second counts" not in reason


def test_a_latency_target_tells_which_latencies_are_unknown_and_how_they_become_known() -> None:
    known = model(0, 0.9, 0.001, 1.0), model(1, 0.6, 0.0001, 2.0)
    assert told(*known, latency_target_s=0.5).endswith("the fastest, as no choice keeps 0.5 s per request: 1 s at best")
    assert told(*known, model(2, 0.5, 0.001), latency_target_s=0.5).endswith(
        "the fastest known, as no known choice keeps 0.5 s per request: 1 s at best; the latency of m2 is unknown and "
        "counts as the slowest: state `latency` on the card, or let `exploration` measure it"
    )
