"""Waiting for a store that lends money, in the caller's thread or beside its event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_THREADS = 8
_pools: dict[int, ThreadPoolExecutor] = {}  # by process: a forked child has none of its parent's threads


def _pool() -> ThreadPoolExecutor:
    """Threads of our own: a loop's default ones may all be busy with calls that take minutes."""
    pool = _pools.get(os.getpid())
    return pool or _pools.setdefault(os.getpid(), ThreadPoolExecutor(_THREADS, "router funding"))


async def beside_the_loop(work: Callable[[], None]) -> None:
    """Do the work in a thread; a caller that goes away doesn't stop it."""
    await asyncio.get_running_loop().run_in_executor(_pool(), work)
