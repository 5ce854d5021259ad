"""An event loop whose time jumps to the next moment at which something happens, and a clock that reads it.

The router's own asynchronous driver runs on it as it is: timers, alarms, wakeups. There is no selector, no socket and
no thread, so a run depends on nothing but what it is given.
"""

from __future__ import annotations

import asyncio
from typing import Any

from capability_router.concurrency.wakeup import Wakeup


class Standstill(RuntimeError):
    """Everybody waits, and nothing is left that could happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Begins at 0.0 seconds. While nothing is ready, time passes at once."""

    _selector: Any

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for the next timer, as a selector waits for files: there are none."""
        if timeout is None:
            raise Standstill("the rehearsal stands still: every request waits for something that never comes")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """No files, no events."""

    def _write_to_self(self) -> None:
        """Nothing sleeps, so nothing needs waking."""


class LoopClock:
    """The clock of a router that lives on such a loop. `unix_s`: Unix seconds at the loop's 0.0."""

    def __init__(self, loop: VirtualLoop, unix_s: float) -> None:
        self._loop, self._unix_s = loop, unix_s
        self.now = loop.time

    def unix(self) -> float:
        """Unix seconds."""
        return self._unix_s + self._loop.time()

    def worked(self) -> float:
        """The router's own work takes no time here."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """No code may block: the loop's time would stand still."""
        raise Standstill(f"somebody blocks for {seconds:g} s")

    async def asleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def stand(self, wakeup: Wakeup, seconds: float) -> None:
        """See `sleep`."""
        self.sleep(seconds)

    async def astand(self, wakeup: Wakeup, seconds: float) -> None:
        """Wait for a wakeup."""
        await wakeup.await_(seconds)

    def __repr__(self) -> str:
        return f"LoopClock(now={self._loop.time():g})"
