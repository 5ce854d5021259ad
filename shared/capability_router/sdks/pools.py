"""Finds the connection pools below an SDK's model, and the event loop of a connection.

No SDK is imported: pools are found by the attribute names of clients, and recognised by their shape (httpcore's, below
httpx, below nearly every SDK).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

_log = logging.getLogger(__name__)
_WAYS = ("client", "transport", "mounts", "pool", "model", "llm", "bound", "sdk")  # in attributes that lead to pools
_MOST = 200  # objects looked at below one model; an SDK's pool is some five steps away
_LAYERS = 5  # connections around a connection: proxies, tunnels


class PoolReference(NamedTuple):
    """A pool, and the object and attribute that hold it; `holder` None = the pool itself was given."""

    pool: Any
    holder: Any = None
    name: str = ""


def pools(root: object, *, make: bool = False) -> Iterator[PoolReference]:
    """The pools below a model. Looking computes and makes nothing, unless `make` is set.

    With `make`, async clients that a model would make at its first call are made now, so that their pools are found.
    ChatAnthropic's shares its pool with every other one for the same address, so it may hold connections of old loops.
    """
    todo, seen = [PoolReference(root)], dict[int, object]()
    while todo and len(seen) < _MOST:
        held = todo.pop()
        if id(held.pool) in seen:
            continue
        seen[id(held.pool)] = held.pool
        if isinstance(getattr(type(held.pool), "connections", None), property):
            yield held
        else:
            if make:
                _make(held.pool)
            todo += _below(held.pool)


def _make(held: Any) -> None:
    kind: Any = type(held)
    for name in _made_late(kind):
        try:
            getattr(held, name)
        except Exception as error:  # noqa: BLE001 - the call itself will raise the SDK's error
            _log.debug("%s of %s can't be made yet (%s)", name, type(held).__name__, type(error).__name__)


@lru_cache(maxsize=256)
def _made_late(kind: Any) -> tuple[str, ...]:
    names = {name for cls in kind.__mro__ for name, value in vars(cls).items() if isinstance(value, cached_property)}
    return tuple(sorted(name for name in names if "async_client" in name))


def _below(held: Any) -> Iterator[PoolReference]:
    """The attributes that may lead to a pool."""
    if isinstance(held, dict):  # httpx keeps its transports by address
        yield from (PoolReference(value) for value in held.values() if hasattr(value, "__dict__"))
        return
    for names in (getattr(held, "__dict__", None), getattr(held, "__pydantic_private__", None)):
        for name, value in names.items() if isinstance(names, dict) else ():
            leads = any(way in name for way in _WAYS) and not isinstance(value, type)
            if leads and (hasattr(value, "__dict__") or isinstance(value, dict)):
                yield PoolReference(value, held, name)


def innermost(connection: Any) -> Any:
    """The connection inside its wrappers."""
    for _ in range(_LAYERS):
        inner = getattr(connection, "_connection", None)
        if inner is None:
            break
        connection = inner
    return connection


def socket_stream(connection: Any) -> Any:
    """anyio's stream over a connection's socket, below httpcore's and TLS's streams."""
    stream = getattr(getattr(innermost(connection), "_network_stream", None), "_stream", None)
    for _ in range(_LAYERS):
        below = getattr(stream, "transport_stream", None)
        if below is None:
            break
        stream = below
    return stream


def loop_of(connection: Any) -> asyncio.AbstractEventLoop | None:
    """The event loop of a connection. uvloop's transports don't name it, but anyio's event has waited in it."""
    stream = socket_stream(connection)
    waited = getattr(getattr(stream, "_protocol", None), "read_event", None)
    for held in (getattr(stream, "_transport", None), waited):
        loop = getattr(held, "_loop", None)
        if isinstance(loop, asyncio.AbstractEventLoop):
            return loop
    return None
