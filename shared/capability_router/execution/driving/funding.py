"""Waiting for a store that lends money, in the caller's thread or beside its event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from capability_router.concurrency.lifetime import Lasting, watch

_THREADS = 8


class Pool(Lasting):
    """The router's own threads, because the event loop's default ones may all be busy for minutes."""

    def __init__(self) -> None:
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """The child process has none of its parent's threads."""
        self.threads = ThreadPoolExecutor(_THREADS, "router funding")


_pool = Pool()


async def beside_the_loop(work: Callable[[], None]) -> None:
    """Do the work in a thread. It goes on if the caller is cancelled."""
    await asyncio.get_running_loop().run_in_executor(_pool.threads, work)
