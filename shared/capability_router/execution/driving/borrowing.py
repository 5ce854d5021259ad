"""Waiting for a store that lends money, in the caller's thread or beside its event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from math import inf
from threading import Lock

from capability_router.concurrency.process_hooks import ProcessHooks, watch

_THREADS = 8


class BorrowExecutor(ProcessHooks):
    """The router's own threads, because the event loop's default ones may all be busy for minutes."""

    def __init__(self) -> None:
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """The child process has none of its parent's threads."""
        self.threads = ThreadPoolExecutor(_THREADS, "router funding")


_pool = BorrowExecutor()


def within(work: Callable[[], None], seconds: float) -> bool:
    """Do the work, in a thread if its time is limited; False = it goes on, or was not begun in time."""
    if seconds == inf:
        work()
        return True
    once = _OnceTask(work)
    try:
        future = _pool.threads.submit(once)
    except RuntimeError:  # no thread is left, or the process ends
        once()
        return True
    wait((future,), seconds)
    return _ended(future)


class _OnceTask:
    """Work that is done once: a pool that could not start a thread may have kept it for a later one."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work, self._begun = work, Lock()

    def __call__(self) -> None:
        if self._begun.acquire(blocking=False):
            self._work()


async def run_beside_loop(work: Callable[[], None], seconds: float) -> bool:
    """The same beside an event loop. It goes on if the caller is cancelled."""
    future = asyncio.get_running_loop().run_in_executor(_pool.threads, work)
    if seconds == inf:
        await future
        return True
    await asyncio.wait((future,), timeout=seconds)
    return _ended(future)


def _ended(future: Future[None] | asyncio.Future[None]) -> bool:
    if future.done():
        future.result()
        return True
    future.cancel()
    return False
