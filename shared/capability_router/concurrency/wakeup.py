"""Wakes a request that waits for its turn, so that it need not poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock

from capability_router.concurrency.longest_wait import at_most


class Wakeup:
    """An event that is set once, from any thread, for a waiter in a thread or a task. `told`: whether it is set.

    Setting it never blocks. The garbage collector may end a call, and so free a place, in the middle of any code.
    """

    __slots__ = ("_wakes", "told")

    def __init__(self) -> None:
        self.told = False
        self._wakes: list[Callable[[], object]] = []  # each is popped, so it is called once

    def tell(self) -> None:
        """Set it: the waiter's turn may have come. A second call does nothing."""
        self.told = True
        while self._wakes:
            try:
                self._wakes.pop()()
            except (IndexError, RuntimeError):  # taken by another thread; an event loop that is closed
                continue

    def wait(self, seconds: float) -> None:
        """Block until it is set, for at most `seconds`."""
        gate = Lock()
        gate.acquire()
        self._wakes.append(gate.release)
        if not self.told:
            gate.acquire(timeout=at_most(seconds))

    async def await_(self, seconds: float) -> None:
        """As `wait`, in asyncio."""
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        self._wakes.append(partial(loop.call_soon_threadsafe, _wake, woken))
        if not self.told:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await woken


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
