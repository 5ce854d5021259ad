"""A pool for each event loop, where several loops use one client at the same time.

A program that serves each thread with its own loop has one model for all of them, and the model has one client. The
client's pool knows no loop: it gives a connection of one loop to a call in another. That call fails, or waits for ever
for an answer that wakes the first loop only. The SDKs' own retries hide most of this, but the router has switched them
off. So each loop gets its own pool, with the settings of the original.
"""

from __future__ import annotations

import asyncio
from copy import copy
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from capability_router.sdks.pools import loop_of, pools

_CONNECTIONS = ("_connections", "_pool")  # the list in httpcore's pools: today's name, and the one before 1.0.3
_REQUESTS = "_requests"


class PoolPerLoop:
    """Replaces a pool. The loop that all its connections belong to keeps it; if that can't be told, no loop does.

    A pool is not made for threads, and a loop may be about to ask it, or may be opening a connection that doesn't tell
    its loop yet. What is under way in a pool without a loop ends there.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._shares: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._lock = Lock()
        owner = _owner(pool)
        if owner is not None:
            self._shares[owner] = pool
        self._hand_over()

    @property
    def connections(self) -> list[Any]:
        """The connections of all loops."""
        return [connection for pool in self._all() for connection in pool.connections]

    async def handle_async_request(self, request: Any) -> Any:
        """Send over a connection of the running loop."""
        return await self._own().handle_async_request(request)

    async def aclose(self) -> None:
        """Close all pools. Other loops are asked to close theirs, in their own time."""
        here = asyncio.get_running_loop()
        self._hand_over()
        with self._lock:
            shares = list(self._shares.items())
        for loop, share in shares:
            if loop is here:
                await share.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(share.aclose(), loop)

    async def __aenter__(self) -> PoolPerLoop:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def begin_anew(self, lock: Lock) -> list[Any]:
        """Replace the lock in a forked child, because a thread of the parent may have held it; returns the pools of all
        loops.
        """
        self._lock = lock
        return self._all()

    def _all(self) -> list[Any]:
        with self._lock:
            shares = list(self._shares.values())
        return shares if any(share is self._pool for share in shares) else [self._pool, *shares]

    def _hand_over(self) -> None:
        """Give each connection of the replaced pool to its own loop."""
        for connection in self._pool.connections:
            loop = loop_of(connection)
            if loop is not None and not loop.is_closed() and (share := self._of(loop)) is not self._pool:
                listed(self._pool).remove(connection)
                listed(share).append(connection)

    def _own(self) -> Any:
        loop = asyncio.get_running_loop()
        return self._shares.get(loop) or self._of(loop)

    def _of(self, loop: asyncio.AbstractEventLoop) -> Any:
        with self._lock:
            for other in [known for known in self._shares if known.is_closed()]:
                del self._shares[other]
            share = self._shares.get(loop)
            if share is None:
                share = self._shares[loop] = another(self._pool)
            return share

    def __repr__(self) -> str:
        return f"<PoolPerLoop {self._pool!r} among {len(self._shares)} event loops>"


def divide(model: object) -> int:
    """Give each loop its own pool below a model; returns the number of divided pools. Pools of another shape are left
    alone.
    """
    count = 0
    for pool, holder, name in pools(model):
        if _divisible(pool) and holder is not None:
            setattr(holder, name, PoolPerLoop(pool))
            count += 1
        count += isinstance(pool, PoolPerLoop)
    return count


def _owner(pool: Any) -> asyncio.AbstractEventLoop | None:
    """The one loop of all its connections; None = there is none, or several, or a connection doesn't tell."""
    loops = {loop_of(connection) for connection in pool.connections}
    return loops.pop() if len(loops) == 1 else None


def _divisible(pool: Any) -> bool:
    asynchronous = hasattr(pool, "handle_async_request")
    return asynchronous and listed(pool) is not None and isinstance(getattr(pool, _REQUESTS, None), list)


def listed(pool: Any) -> Any:
    """The pool's own list of connections; None = the pool has another shape."""
    lists = (getattr(pool, name, None) for name in _CONNECTIONS)
    return next((found for found in lists if isinstance(found, list)), None)


def another(pool: Any) -> Any:
    """An empty pool with the same settings."""
    share, own = copy(pool), listed(pool)
    for name, value in vars(pool).items():
        if value is own or name == _REQUESTS:
            setattr(share, name, [])
        elif type(value).__name__.endswith("Lock"):
            setattr(share, name, type(value)())
    return share
