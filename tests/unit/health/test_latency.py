"""Live latency from a prior."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.health.latency import READING_S, Latency


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


def long_and_short(seen: Latency, calls: int, per_token: float) -> None:
    """Every third input is long; first tokens come after 0.4 s and the reading."""
    for number in range(calls):
        tokens = 20_000 + 997 * number if number % 3 == 0 else 200 + 7 * number
        wait = 0.4 + per_token * tokens
        seen.answered(wait, wait + 1.0, 100, tokens)


@pytest.mark.parametrize("per_token", [0.0, 2e-5, 5e-5, 1e-3])
def test_how_long_reading_takes_is_learned_and_keeps_no_short_input_waiting(per_token: float):
    seen = Latency({"ttft_s": 0.5})
    long_and_short(seen, 60, per_token)
    assert seen.per_input == pytest.approx(per_token, rel=0.05, abs=1e-6)
    assert seen.first_s(200) == pytest.approx(0.4 + 200 * per_token, abs=0.05)
    assert seen.first_s(100_000) == pytest.approx(0.4 + 100_000 * per_token, rel=0.1)


def test_where_inputs_have_one_size_reading_is_guessed():
    seen = Latency({})
    for wait in (0.3, 0.5) * 40:
        seen.answered(wait, wait, 0, 500)
    assert seen.per_input == READING_S
    assert seen.first_s(500) == pytest.approx(0.4, abs=0.02)


def test_a_provider_that_slows_down_is_followed_whatever_the_sizes():
    seen = Latency({"ttft_s": 0.4})
    long_and_short(seen, 60, 5e-5)
    for number in range(20):
        tokens = 20_000 if number % 3 == 0 else 200
        seen.answered(3.4 + 5e-5 * tokens, None, 0, tokens)
    assert seen.first_s(200) == pytest.approx(3.4, rel=0.15)


def test_a_long_input_that_is_cut_off_says_only_what_reading_does_not_explain():
    seen = Latency({"ttft_s": 1.0})
    seen.timed_out(9.0, 100_000)  # ten seconds were to be expected
    assert seen.ttft.value == 1.0
    seen.timed_out(17.0, 100_000)
    assert seen.ttft.value == pytest.approx(2.0)


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(), st.none() | st.floats(), st.integers(-5, 10**6), st.integers(-5, 10**8)
        ),
        max_size=30,
    )
)  # fmt: skip
def test_nothing_it_is_told_makes_it_senseless(calls: list[tuple[float | None, float | None, int, int]]):
    seen = Latency({"ttft_s": 0.4, "tokens_per_s": 90})
    for ttft, elapsed, tokens, entered in calls:
        seen.answered(ttft, elapsed, tokens, entered)
    for value in (seen.ttft.value, seen.token.value, seen.service_s(), seen.per_input):
        assert value is not None
        assert 0 <= value < math.inf
