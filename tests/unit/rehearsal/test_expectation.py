from __future__ import annotations

import math

import pytest

from capability_router.errors import ConfigError
from capability_router.rehearsal.episode import Episode
from capability_router.rehearsal.expectation import METRICS, judged, parse_terms
from capability_router.rehearsal.summary import RunSummary, SuccessRate

SEEN = RunSummary(
    SuccessRate(1_000, 995), SuccessRate(100, 95), SuccessRate(900, 900), [float(n) for n in range(1, 101)], [2.0, 4.0],
    1_500_000_000_000, longest_s=120.0, fallbacks=100,
)  # fmt: skip
LEFT = Episode(1, "outage:a", "a", 9, 9, 0.5, "breaker", 3.0, False, True)


@pytest.mark.parametrize(
    ("terms", "met"),
    [
        ("success>=99.5%", True), ("success>99.5%", False), ("success>=0.996", False), ("success = 99.5 %", True),
        ("success_during>=95%,success-outside>=100%", True),
        ("p50<=50s", True), ("p95<=95000ms", True), ("p95<94.9s", False), ("p99<2m", True), ("longest<=1m", False),
        ("p95-during<=4s", True), ("lost<=5", True), ("fallbacks<=10%", True), ("fallbacks<10%", False),
        ("cost<=$1.5", True), ("cost<1.5usd", False), ("left<=500ms", True), ("back<3s", False), ("", True),
    ],
)  # fmt: skip
def test_terms_are_judged(terms: str, met: bool) -> None:
    assert all(each.met for each in judged(parse_terms(terms), SEEN, [LEFT])) is met


def test_nothing_answered_is_as_slow_as_can_be() -> None:
    none = RunSummary(SuccessRate(10, 0), SuccessRate(10, 0), SuccessRate())
    found = {each.text: each for each in judged(parse_terms("p95<=3s,p95-during<=3s,success-outside>=99%"), none, [])}
    assert not found["p95<=3s"].met
    assert not found["p95-during<=3s"].met
    assert found["p95<=3s"].to_dict() == {"expected": "p95<=3s", "seen": None, "met": False}
    assert found["success-outside>=99%"].met  # there was no request outside of the faults' time


def test_a_model_that_is_never_left_alone_or_never_back_meets_no_time() -> None:
    never = [LEFT._replace(left_s=None), LEFT._replace(back_s=None, away=True)]
    assert [each.seen for each in judged(parse_terms("left<=9s,back<=9s"), SEEN, never)] == [math.inf, math.inf]
    assert [each.met for each in judged(parse_terms("left<=9s,back<=9s"), SEEN, [])] == [True, True]


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ("succes>=99%", "did you mean 'success'"), ("success", "cannot read 'success'"),
        ("success>=99.5", "a share is at most 100%"), ("p95<=3", "p95 is written with s or ms or m"),
        ("p95<=$3", "p95 is written with s or ms or m"), ("p95<=3.3.3s", "'3.3.3' is no number"),
        ("lost<=5%", "lost is written with no unit"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(terms: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_terms(terms)
    assert told in str(raised.value)


def test_every_metric_can_be_seen() -> None:
    assert all(metric.seen(SEEN, [LEFT]) is not None for metric in METRICS.values())
