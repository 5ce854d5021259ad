"""Retries calls that got a connection of a closed event loop from an SDK's pool: each `asyncio.run` leaves some there.

A query engine with `use_async=True` opens a loop per query. The next query's first calls get the old loop's connections
and fail, because nobody can read from those any more; the pool then drops them. The SDKs' own retries hide this, but
the router has switched them off, so it repeats the call itself. The model has not failed: it must not be blamed or
replaced. As with the SDKs' retries, the provider may have received the request that was given up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_CLOSED = "Event loop is closed"
_ELSEWHERE = "is bound to a different event loop"
"""The connection belongs to another running loop. This happens in the first calls, before each loop has its own pool.
"""
_FIRST_CALLS = 3
_MOST = 100  # as many idle connections as the SDKs' pools keep; each failure drops one


def is_stale(error: BaseException, *signs: str) -> bool:
    """Whether the error, or one of its causes, is a RuntimeError whose message ends with one of these signs."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, RuntimeError) and str(link).endswith(signs):
            return True
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False


def stale(error: BaseException) -> bool:
    """Whether one of a model's first calls has met such a connection: `retried_past_stale` gets past it."""
    return is_stale(error, _CLOSED, _ELSEWHERE)


async def retried_past_stale(step: Callable[[], Awaitable[T]]) -> T:
    """The step's result, once the pool holds no such connection any more. `step` must be repeatable."""
    for tried in range(_MOST):
        try:
            return await step()
        except Exception as error:
            if not is_stale(error, _CLOSED, *((_ELSEWHERE,) if tried < _FIRST_CALLS else ())):
                raise
    return await step()
