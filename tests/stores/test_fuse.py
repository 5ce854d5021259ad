"""How long a store that failed is left alone."""

from __future__ import annotations

from capability_router.clock import ManualClock
from capability_router.stores.fuse import LONGEST_S, Fuse


def test_each_failure_after_such_a_time_doubles_the_next_and_a_success_ends_it() -> None:
    clock = ManualClock()
    fuse, waits = Fuse(clock.now), []
    for _ in range(8):
        fuse.blow("away")
        began = clock.now()
        while fuse.blown:
            clock.advance(0.25)
        waits.append(clock.now() - began)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_S, LONGEST_S, LONGEST_S]
    fuse.mend()
    fuse.blow("away")
    clock.advance(0.5)
    assert not fuse.blown


def test_calls_that_were_under_way_when_the_store_went_away_count_once() -> None:
    clock = ManualClock()
    fuse = Fuse(clock.now)
    for _ in range(8):
        fuse.blow("away")
    assert fuse.blown
    clock.advance(0.5)
    assert not fuse.blown
