"""Takes the connections of closed event loops out of the SDKs' pools before a request is sent over one.

A pool of httpcore's (below httpx, below nearly every SDK) knows no event loop: it gives the connections of the last
`asyncio.run` to the first calls of the next one. Their requests reach the provider, which answers and bills, and nobody
can read the answer. So when a router's models are used in another loop than before, every connection of a closed loop
is marked as closed. The pool then removes it itself, in its own time and under its own lock. Connections of a loop that
is open in another thread stay with that loop: from then on each has its own pool (pool_per_loop.py).

A pool of an unknown shape is not touched; `retried_past_stale` handles its connections instead.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from threading import Lock
from typing import Any
from weakref import WeakSet

from capability_router.sdks.forked_pools import drop_inherited
from capability_router.sdks.pool_per_loop import divide
from capability_router.sdks.pools import innermost, loop_of, pools, socket_stream

_log = logging.getLogger(__name__)
_LOOKS = 100  # how often to look for a pool: a client may make it at its first call, or have none that we know
_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()  # of all models, because models may share a client
_all: WeakSet[LoopTracker] = WeakSet()
_lock = Lock()


class LoopTracker:
    """The event loops in which these models have been used, and are perhaps used at the same time."""

    __slots__ = ("__weakref__", "_known", "_looks", "_models", "_whole")

    def __init__(self, models: Iterable[object]) -> None:
        self._models = tuple(models)
        self.begin()
        _all.add(self)

    def begin(self) -> None:
        """Forget all loops."""
        self._whole = self._models
        self._known: tuple[asyncio.AbstractEventLoop, ...] = ()
        self._looks = _LOOKS

    def after_fork(self) -> None:
        """In the child, neither the parent's loops nor its connections can be used."""
        self.begin()
        drop_inherited(self._models)

    def enter(self) -> None:
        """Call this before something is sent, in the loop that sends it. Never fails."""
        loop, known = asyncio.get_running_loop(), self._known
        if len(known) == 1 and known[0] is loop:
            return
        new = loop not in known or any(other.is_closed() for other in known)
        if not new and not self._whole:
            return
        with _lock:
            if new:
                self._met(loop)
            self._divide(loop)

    def _met(self, loop: asyncio.AbstractEventLoop) -> None:
        alive = tuple(other for other in self._known if not other.is_closed() and other is not loop)
        self._known = (*alive, loop)
        _loops.add(loop)
        for model in self._models:
            drop_closed(model)

    def _divide(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give each loop its own connections if another loop is open too."""
        if all(other is loop or other.is_closed() for other in _loops):
            return
        self._looks -= 1
        left = tuple(model for model in self._whole if not _divided(model))
        self._whole = left if self._looks > 0 else ()


def _divided(model: object) -> bool:
    try:
        return divide(model) > 0
    except Exception as error:  # noqa: BLE001 - an SDK of another shape, which is left as it is
        _log.debug("the pools of %s can't be divided (%s)", type(model).__name__, type(error).__name__)
        return True


def drop_closed(model: object) -> int:
    """Mark the connections of closed loops in the pools below a model as closed; returns their number."""
    try:
        return sum(_dropped(connection) for held in pools(model, make=True) for connection in held.pool.connections)
    except Exception as error:  # noqa: BLE001 - an SDK of an unknown shape; the call is made all the same
        _log.debug("the connections of %s can't be looked at (%s)", type(model).__name__, type(error).__name__)
        return 0


def _dropped(connection: Any) -> bool:
    loop = loop_of(connection)
    if loop is None or not loop.is_closed():
        return False
    inner, stream = innermost(connection), socket_stream(connection)
    # Some versions of httpcore remove closed connections, others close and remove expired ones.
    inner._state = type(inner._state).CLOSED
    inner._expire_at = float("-inf")
    inner._network_stream = _ClosedStream()
    _close_socket(getattr(stream, "_transport", None))
    return True


def _close_socket(transport: Any) -> None:
    """Close the socket of an asyncio transport, which can't be closed without its loop and would warn when it is
    collected.
    """
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        transport._sock = None
        sock.close()


class _ClosedStream:
    """Replaces the stream of a closed loop, which can't be closed any more."""

    async def aclose(self) -> None:
        """Nothing is left to do."""


def _after_fork() -> None:
    global _lock
    _lock = Lock()  # a thread of the parent may have held the old one
    _loops.clear()
    for loops in list(_all):
        loops.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
