"""How long a store that failed is left alone."""

from __future__ import annotations

from capability_router.clock import ManualClock
from capability_router.stores.backoff_breaker import LONGEST_S, BackoffBreaker


def test_each_failure_after_such_a_time_doubles_the_next_and_a_success_ends_it() -> None:
    clock = ManualClock()
    fuse, waits = BackoffBreaker(clock.now), []
    for _ in range(8):
        fuse.record_failure("away")
        began = clock.now()
        while fuse.is_tripped:
            clock.advance(0.25)
        waits.append(clock.now() - began)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_S, LONGEST_S, LONGEST_S]
    fuse.mend()
    fuse.record_failure("away")
    clock.advance(0.5)
    assert not fuse.is_tripped


def test_calls_that_were_under_way_when_the_store_went_away_count_once() -> None:
    clock = ManualClock()
    fuse = BackoffBreaker(clock.now)
    for _ in range(8):
        fuse.record_failure("away")
    assert fuse.is_tripped
    clock.advance(0.5)
    assert not fuse.is_tripped
