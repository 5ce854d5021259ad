"""The word to one who waits for his turn that it may have come, so that he need not look again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock


class Wakeup:
    """Given once, from any thread, to one who waits in a thread or in a task; `told`: whether it was given.

    To give it never waits: the garbage collector may end a call, and so free a place, in the middle of anything.
    """

    __slots__ = ("_wakes", "told")

    def __init__(self) -> None:
        self.told = False
        self._wakes: list[Callable[[], object]] = []  # each is taken out by one alone

    def tell(self) -> None:
        """His turn may have come. A second time says nothing."""
        self.told = True
        while self._wakes:
            with suppress(IndexError, RuntimeError):  # taken by another thread; an event loop that is closed
                self._wakes.pop()()

    def wait(self, seconds: float) -> None:
        """Block until it is given, for at most so long."""
        gate = Lock()
        gate.acquire()
        self._wakes.append(gate.release)
        if not self.told:
            gate.acquire(timeout=seconds)

    async def await_(self, seconds: float) -> None:
        """The same, asynchronously."""
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
