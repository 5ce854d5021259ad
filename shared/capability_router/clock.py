"""Time and chance. The only module of the core that imports `time` or `random`.

Everything else is handed a Clock or a `now`, so that a test or a simulation runs in virtual
time and every seed gives one run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Protocol

from capability_router.concurrency.longest_wait import at_most
from capability_router.concurrency.loop_lag import exclude_cpu_time, lag_s
from capability_router.concurrency.wakeup import Wakeup

exclude_cpu_time(time.process_time)


class Clock(Protocol):
    """Monotonic seconds for intervals, Unix seconds for stamps, the two ways to wait, and `worked`:

    seconds in which this process worked, or kept an event loop from its calls. `stand` waits as `sleep` does, but
    for a wakeup, which may come earlier.
    """

    def now(self) -> float: ...
    def unix(self) -> float: ...
    def worked(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
    async def asleep(self, seconds: float) -> None: ...
    def stand(self, wakeup: Wakeup, seconds: float) -> None: ...
    async def astand(self, wakeup: Wakeup, seconds: float) -> None: ...


_FRESH_S = 0.002
"""A reading of the process's time is reused this long: it is a system call, slower with each thread."""


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.monotonic)
    unix = staticmethod(time.time)

    def __init__(self) -> None:
        self._read = (-_FRESH_S, 0.0)  # when, and what

    def worked(self) -> float:
        """Accurate to two milliseconds."""
        now, (at, process_s) = time.monotonic(), self._read
        if now - at >= _FRESH_S:
            process_s = time.process_time()
            self._read = (now, process_s)
        return process_s + lag_s()

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(at_most(seconds))

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def stand(self, wakeup: Wakeup, seconds: float) -> None:
        wakeup.wait(seconds)

    async def astand(self, wakeup: Wakeup, seconds: float) -> None:
        await wakeup.await_(seconds)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock:
    """A clock that moves only when told to; sleeping moves it."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def unix(self) -> float:
        return 1_800_000_000.0 + self._now

    def worked(self) -> float:
        return 0.0

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.0))

    async def asleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)

    def stand(self, wakeup: Wakeup, seconds: float) -> None:
        self.sleep(0.0 if wakeup.told else seconds)

    async def astand(self, wakeup: Wakeup, seconds: float) -> None:
        await self.asleep(0.0 if wakeup.told else seconds)

    def __repr__(self) -> str:
        return f"ManualClock(now={self._now:g})"


Chance = random.Random
"""The type that `seeded` returns."""


def seeded(seed: int | None) -> random.Random:
    """A private random generator; the same seed gives the same draws."""
    return random.Random(seed)  # noqa: S311 - jitter and exploration, never secrets


_drawing = RLock()


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Inside this block the module `random`, which tenacity's jitter uses, draws by this seed.

    The module belongs to the whole process, so one thread at a time does this.
    """
    with _drawing:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)
