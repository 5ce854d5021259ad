"""Slots and allowances per minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.health.limiter import Limiter, TokenBucket


def test_a_bucket_holds_a_minute_and_refills_evenly():
    bucket = TokenBucket(60)
    bucket.take(60.0, 100.0)
    assert bucket.wait_s(1.0, 100.0) == pytest.approx(1.0)
    assert bucket.wait_s(30.0, 110.0) == pytest.approx(20.0)
    assert bucket.wait_s(30.0, 130.0) == 0.0
    assert bucket.level == pytest.approx(30.0)


def test_a_call_larger_than_the_allowance_passes_when_the_bucket_is_full():
    bucket = TokenBucket(60)
    assert bucket.wait_s(500.0, 0.0) == 0.0
    bucket.take(500.0, 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(441.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 500), st.floats(0, 500)), max_size=40))
def test_a_bucket_never_overflows_and_opens_when_it_says(steps: list[tuple[float, float, float]]):
    bucket, now = TokenBucket(100), 0.0
    for gap, take, give in steps:
        now += gap
        bucket.take(take, now)
        bucket.give(give, now)
        assert bucket.level <= bucket.capacity
        now += bucket.wait_s(take, now)
        assert bucket.wait_s(take, now) == 0.0


def test_estimates_are_corrected_when_a_call_ends():
    limiter = Limiter({"rpm": 10, "tpm": 1000})
    assert limiter.requests is not None
    assert limiter.tokens is not None
    limiter.enter(400, 0.0)
    assert (limiter.in_flight, limiter.requests.level, limiter.tokens.level) == (1, 9.0, 600.0)
    limiter.leave(400, 700, 0.0)
    assert (limiter.in_flight, limiter.requests.level, limiter.tokens.level) == (0, 9.0, 300.0)
    limiter.enter(200, 0.0)
    limiter.leave(200, None, 0.0)
    assert limiter.tokens.level == 100.0
    limiter.enter(50, 0.0)
    limiter.leave(50, 0, 0.0, sent=False)
    assert (limiter.requests.level, limiter.tokens.level) == (8.0, 100.0)


def test_the_wait_is_predicted_from_slots_and_from_allowances():
    limiter = Limiter({"concurrency": 4})
    for _ in range(3):
        limiter.enter(0, 0.0)
    assert (limiter.full_behind(0), limiter.queue_s(0.0, 8.0)) == (False, 0.0)
    limiter.enter(0, 0.0)
    assert (limiter.full_behind(0), limiter.tight, limiter.queue_s(0.0, 8.0)) == (True, True, 2.0)
    metered = Limiter({"rpm": 60})
    metered.enter(0, 0.0)
    metered.left(0, None, 0.0)
    assert metered.tight
    assert metered.queue_s(0.0, 8.0) == pytest.approx(1.0)
    assert metered.budget_wait_s(0, 0.0) == pytest.approx(1.0)


def test_the_providers_count_only_lowers():
    limiter = Limiter({"rpm": 10, "tpm": 1000})
    limiter.left(500, -3, 0.0)
    assert limiter.requests is not None
    assert limiter.tokens is not None
    assert (limiter.requests.level, limiter.tokens.level) == (10.0, 0.0)


def test_no_limits_limit_nothing():
    limiter = Limiter({})
    for _ in range(10_000):
        limiter.enter(10**9, 0.0)
    assert not limiter.full_behind(1_000)
    assert not limiter.tight
    assert limiter.queue_s(0.0, 5.0) == 0.0
