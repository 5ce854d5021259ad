"""Connections of event loops that are gone, taken out of the SDKs' pools before a request is sent over one.

A pool of httpcore's (below httpx, below nearly every SDK) knows no event loop: what it has kept from the last
`asyncio.run` it gives to the next one's first calls. Their requests reach the provider, which answers and bills, and
nobody can read the answer. So when a router's models are used in another loop than before, whatever belongs to a
closed loop is marked as closed, and the pool clears it away itself, in its own time and under its own lock. What
belongs to a loop that is open, perhaps in another thread, is left alone.

No SDK is imported: pools are found by the names under which clients are kept, and known by their shape. Of a shape
that nobody knows nothing is touched; `past_stale` then stands in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Any

_log = logging.getLogger(__name__)
_WAYS = ("client", "transport", "mounts", "pool", "model", "llm", "bound", "sdk")  # in names that lead to pools
_MOST = 200  # objects looked at below one model; an SDK's pool is some five steps away
_LAYERS = 5  # connections around a connection: proxies, tunnels


class Loops:
    """The event loops in which these models have been used, and are perhaps used at the same time."""

    __slots__ = ("_known", "_models")

    def __init__(self, models: Iterable[object]) -> None:
        self._models = tuple(models)
        self._known: tuple[asyncio.AbstractEventLoop, ...] = ()

    def enter(self) -> None:
        """To be called before something is sent, in the loop that sends it. Never fails."""
        loop, known = asyncio.get_running_loop(), self._known
        if len(known) == 1 and known[0] is loop:
            return
        alive = tuple(other for other in known if not other.is_closed())
        if loop in alive and len(alive) == len(known):
            return
        # Two threads may overwrite each other here: the loop that is lost is new again at its next call.
        self._known = alive if loop in alive else (*alive, loop)
        for model in self._models:
            drop_dead(model)


def drop_dead(model: object) -> int:
    """Mark the connections of closed loops in the pools below a model; how many there were."""
    try:
        return sum(_dropped(connection) for pool in _pools(model) for connection in pool.connections)
    except Exception as error:  # noqa: BLE001 - an SDK of another shape; the call is made as if nobody had looked
        _log.debug("the connections of %s can't be looked at (%s)", type(model).__name__, type(error).__name__)
        return 0


def _pools(root: object) -> Iterator[Any]:
    todo, seen = [root], dict[int, object]()
    while todo and len(seen) < _MOST:
        held = todo.pop()
        if id(held) in seen:
            continue
        seen[id(held)] = held
        if isinstance(getattr(type(held), "connections", None), property):
            yield held
        else:
            todo += _below(held)


def _below(held: Any) -> Iterator[Any]:
    """What it keeps under names that may lead to a pool. Nothing is computed or made for being asked."""
    if isinstance(held, dict):  # httpx keeps transports by the addresses that they are for
        yield from (value for value in held.values() if hasattr(value, "__dict__"))
        return
    for names in (getattr(held, "__dict__", None), getattr(held, "__pydantic_private__", None)):
        for name, value in names.items() if isinstance(names, dict) else ():
            leads = any(way in name for way in _WAYS) and not isinstance(value, type)
            if leads and (hasattr(value, "__dict__") or isinstance(value, dict)):
                yield value


def _dropped(connection: Any) -> bool:
    inner = _innermost(connection)
    stream = _socket_stream(getattr(inner, "_network_stream", None))
    loop = _loop_of(stream)
    if loop is None or not loop.is_closed():
        return False
    # Some versions clear away what is closed, others what has expired, which they close before.
    inner._state = type(inner._state).CLOSED
    inner._expire_at = float("-inf")
    inner._network_stream = _Gone()
    _close_socket(getattr(stream, "_transport", None))
    return True


def _innermost(connection: Any) -> Any:
    for _ in range(_LAYERS):
        inner = getattr(connection, "_connection", None)
        if inner is None:
            break
        connection = inner
    return connection


def _socket_stream(stream: Any) -> Any:
    """anyio's stream over the socket, below httpcore's own and those of TLS."""
    stream = getattr(stream, "_stream", None)
    for _ in range(_LAYERS):
        below = getattr(stream, "transport_stream", None)
        if below is None:
            break
        stream = below
    return stream


def _loop_of(stream: Any) -> asyncio.AbstractEventLoop | None:
    """asyncio's transports tell their loop. uvloop's don't, but anyio has waited for an answer in it."""
    waited = getattr(getattr(stream, "_protocol", None), "read_event", None)
    for held in (getattr(stream, "_transport", None), waited):
        loop = getattr(held, "_loop", None)
        if isinstance(loop, asyncio.AbstractEventLoop):
            return loop
    return None


def _close_socket(transport: Any) -> None:
    """asyncio's transport can't be closed without its loop, and would warn of that when it is collected."""
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        transport._sock = None
        sock.close()


class _Gone:
    """Stands for the stream of a closed loop: nobody can close that one any more."""

    async def aclose(self) -> None:
        """Nothing is left to do."""
