"""How long a loop was away, by itself and together with what the process has computed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from capability_router.concurrency import loop_lag
from capability_router.concurrency.loop_lag import LoopLagMonitor


class Loop:
    """A loop whose time, and whose process's computing, are moved by the test."""

    def __init__(self) -> None:
        self.now = self.computed = 0.0
        self.timer: tuple[float, Callable[..., None], tuple[Any, ...]] | None = None

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, ring: Callable[..., None], *args: Any) -> Loop:
        self.timer = (when, ring, args)
        return self

    def cancel(self) -> None:
        self.timer = None

    def away(self, seconds: float, *, computing: float = 0.0) -> None:
        """Nothing is served for so long, of which so much is computed."""
        self.now += seconds
        self.computed += computing

    def turn(self) -> None:
        """Serve the timer if it is due."""
        if self.timer is not None and self.timer[0] <= self.now:
            _, ring, args = self.timer
            ring(*args)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(loop_lag, "_computed_s", lambda: made.computed)
    monkeypatch.setattr(loop_lag, "_lag_s", 0.0)
    return made


def watched(loop: Loop) -> LoopLagMonitor:
    watch = LoopLagMonitor(loop)  # type: ignore[arg-type]  # all of a loop that it asks for
    watch.enter()
    watch.enter()
    return watch


CASES = [(0.35, 0.0, 0.3), (0.35, 0.35, 0.0), (0.35, 0.2, 0.1), (0.35, 1.4, 0.0), (0.06, 0.0, 0.0)]


@pytest.mark.parametrize(("seconds", "computing", "away"), CASES)
@pytest.mark.parametrize("served", [True, False])
def test_what_is_computed_is_not_counted_twice(
    loop: Loop, seconds: float, computing: float, away: float, served: bool
) -> None:
    watch = watched(loop)
    loop.away(seconds, computing=computing)  # the timer is due after 0.05 s
    assert watch.pending_s(loop.now) == pytest.approx(away)
    if served:
        loop.turn()
        assert watch.pending_s(loop.now) == 0.0
    else:
        watch.leave()
    assert loop_lag.lag_s() == pytest.approx(away)


def test_each_look_begins_anew(loop: Loop) -> None:
    watched(loop)
    for _ in range(3):
        loop.away(0.25, computing=0.25)
        loop.turn()
        loop.away(0.25)
        loop.turn()
    assert loop_lag.lag_s() == pytest.approx(3 * 0.2)


def test_together_with_what_was_computed_it_never_falls(loop: Loop) -> None:
    watch, told = watched(loop), 0.0
    for step in range(40):
        loop.away(0.03, computing=0.09 * (step % 3))
        if step % 7 == 0:
            loop.turn()
        now = loop.computed + loop_lag._lag_s + watch.pending_s(loop.now)
        assert now >= told - 1e-9
        told = now


async def test_the_machines_clock_counts_so() -> None:
    """The processor's seconds are what the clock asks for."""
    from time import process_time

    from capability_router.clock import SystemClock

    assert loop_lag._computed_s is process_time
    assert SystemClock().worked() >= process_time() - 1.0
    await asyncio.sleep(0)
