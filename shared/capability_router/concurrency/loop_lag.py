"""Loop lag: how long this process's event loops were blocked by their application, computing or waiting.

A blocked loop sees its answers late, and would blame the model for its own delay. A loop is watched only while two or
more calls are awaited in it, so that a single call costs no timer.

Callers add the lag to the processor time of the process, so processor time is not counted here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary, ref

from capability_router.concurrency.latch import ReentrantLatch

_LOOK_S = 0.05
_LATE_S = 0.02  # a shorter delay is normal


class LoopLagMonitor:
    """One loop's timer, and how late it fires."""

    __slots__ = ("_calls", "_computed", "_due", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._calls, self._due, self._computed = 0, 0.0, 0.0
        self._handle: asyncio.TimerHandle | None = None

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it watches this loop."""
        return self._loop() is loop

    def enter(self) -> None:
        """One more call is awaited in this loop."""
        self._calls += 1
        loop = self._loop()
        if self._calls == 2 and loop is not None:
            self._look_again(loop)

    def leave(self) -> None:
        """One call less. The garbage collector may end it when the loop is gone."""
        self._calls -= 1
        loop = self._loop()
        if self._calls < 2 and self._handle is not None and loop is not None:
            _add(self.pending_s(loop.time()))
            self._handle.cancel()
            self._handle = None

    def pending_s(self, now: float) -> float:
        """How late the pending timer is by now, less the processor time since it was set."""
        late = now - self._due if self._handle is not None else 0.0
        return max(late - (_computed_s() - self._computed), 0.0) if late > _LATE_S else 0.0

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late = self.pending_s(loop.time())
        self._handle = None
        if late:
            _add(late)
        self._look_again(loop)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due, self._computed = loop.time() + _LOOK_S, _computed_s()
        self._handle = loop.call_at(self._due, self._look, loop)


_WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopLagMonitor] = WeakKeyDictionary()
_asked: LoopLagMonitor | None = None  # it holds no loop
_LOCK = ReentrantLatch()  # the garbage collector may end a call in the middle of another's
_lag_s = 0.0


def _nothing() -> float:
    return 0.0


_computed_s: Callable[[], float] = _nothing


def exclude_cpu_time(computed_s: Callable[[], float]) -> None:
    """Exclude processor time, which this clock gives in seconds."""
    global _computed_s
    _computed_s = computed_s


def _add(seconds: float) -> None:
    global _lag_s
    with _LOCK:
        _lag_s += seconds


def watch() -> LoopLagMonitor:
    """The running loop's watch."""
    loop = asyncio.get_running_loop()
    found = _watch_of(loop)
    if found is None:
        found = _WATCHES[loop] = LoopLagMonitor(loop)
    return found


def _watch_of(loop: asyncio.AbstractEventLoop) -> LoopLagMonitor | None:
    """The loop's watch; usually the last one that was asked for."""
    global _asked
    if (last := _asked) is not None and last.is_of(loop):
        return last
    found = _WATCHES.get(loop)
    if found is not None:
        _asked = found
    return found


def lag_s() -> float:
    """Total seconds by which loops were late without computing, up to now for the running one.

    Its sum with the processor time never decreases.
    """
    loop = asyncio._get_running_loop()
    if loop is None or (found := _watch_of(loop)) is None:
        return _lag_s
    return _lag_s + found.pending_s(loop.time())
