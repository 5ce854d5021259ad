"""Live latency from a prior."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.health.latency import Latency


def test_the_card_counts_as_five_calls():
    seen = Latency({"ttft_s": 1.0, "tokens_per_s": 100})
    seen.answered(7.0, 7.0 + 100 * 0.07, 100)
    assert seen.ttft.value == pytest.approx(2.0)
    assert seen.token.value == pytest.approx(0.02)


def test_without_a_card_the_first_call_counts_whole():
    seen = Latency({})
    assert (seen.ttft.value, seen.token.value, seen.service_s()) == (None, None, 1.0)
    seen.answered(0.5, 2.5, 100)
    assert (seen.ttft.value, seen.token.value, seen.service_s()) == (0.5, 0.02, 2.5)


def test_it_follows_a_change_within_some_tens_of_calls():
    seen = Latency({"ttft_s": 0.1})
    for _ in range(40):
        seen.answered(2.0, 2.0, 0)
    assert seen.ttft.value == pytest.approx(2.0, rel=0.05)


def test_a_unary_call_is_split_by_the_wait_believed_in():
    seen = Latency({"ttft_s": 1.0})
    seen.answered(None, 3.0, 100)
    assert (seen.ttft.value, seen.token.value) == (1.0, 0.02)
    seen.answered(None, 0.4, 0)
    assert seen.ttft.value == pytest.approx(0.9)


def test_a_timeout_is_a_wait_at_least_so_long():
    seen = Latency({"ttft_s": 1.0})
    seen.timed_out(0.5)
    assert seen.ttft.value == 1.0
    seen.timed_out(13.0)
    assert seen.ttft.value == pytest.approx(3.0)


def test_the_percentile_needs_twenty_and_forgets_the_oldest():
    seen = Latency({})
    for n in range(19):
        seen.answered(float(n), None, 0)
    assert seen.p95_s() is None
    seen.answered(19.0, None, 0)
    assert seen.p95_s() == 19.0
    for n in range(64):
        seen.answered(float(100 + n), None, 0)
    assert seen.p95_s() == 160.0


@given(
    st.lists(
        st.tuples(st.none() | st.floats(), st.none() | st.floats(), st.integers(-5, 10**6)), max_size=30
    )
)  # fmt: skip
def test_nothing_it_is_told_makes_it_senseless(calls: list[tuple[float | None, float | None, int]]):
    seen = Latency({"ttft_s": 0.4, "tokens_per_s": 90})
    for ttft, elapsed, tokens in calls:
        seen.answered(ttft, elapsed, tokens)
    for value in (seen.ttft.value, seen.token.value, seen.service_s()):
        assert value is not None
        assert 0 <= value < math.inf
