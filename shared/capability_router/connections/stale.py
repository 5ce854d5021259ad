"""A connection that an SDK's pool keeps of an event loop that is gone: each `asyncio.run` leaves some behind.

A query engine with `use_async=True` opens a loop per query. The next query's first calls are given the old loop's
connections, fail because nobody can read from those any more, and the pool drops them. The SDKs' own retries hide it;
the router has switched them off, so it asks again itself. It is no failure of the model, which must not be blamed or
replaced for it. As with the SDKs' retries, the provider may have got the request that was given up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_CLOSED = "Event loop is closed"
_ELSEWHERE = "is bound to a different event loop"
"""Of a connection that another running loop has made: possible in the first calls, before each has its own."""
_FIRST_CALLS = 3
_MOST = 100  # as many idle connections as the SDKs' pools keep; each failure drops one


def is_stale(error: BaseException, *signs: str) -> bool:
    """Whether the error, or one of its causes, comes from a connection of which one of these is said."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, RuntimeError) and str(link).endswith(signs):
            return True
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False


def stale(error: BaseException) -> bool:
    """Whether one of a model's first calls has met such a connection: `past_stale` gets past it."""
    return is_stale(error, _CLOSED, _ELSEWHERE)


async def past_stale(step: Callable[[], Awaitable[T]]) -> T:
    """What the step gives once the pool holds no such connection any more. `step` must be repeatable."""
    for tried in range(_MOST):
        try:
            return await step()
        except Exception as error:
            if not is_stale(error, _CLOSED, *((_ELSEWHERE,) if tried < _FIRST_CALLS else ())):
                raise
    return await step()
