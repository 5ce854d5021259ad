"""The time that an attempt has, for a router that is called inside it: it gives up soon after the outer one has.

A thread can't be cancelled: without this a router within a router would go on for its own time, and keep its
permits and its reserved money as long.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

from capability_router.execution.effects import GRACE_S, Timeouts

_LEFT_S: ContextVar[float | None] = ContextVar("capability_router_left_s", default=None)


def bound_inside(clocks: Timeouts | None) -> Token[float | None] | None:
    """Bound the requests that are made in this context from here on; clocks without an end change nothing (None)."""
    if clocks is None or clocks.total is None:
        return None
    return _LEFT_S.set(clocks.total + GRACE_S)


def unbound(token: Token[float | None] | None) -> None:
    """As before that `bound_inside`."""
    if token is not None:
        _LEFT_S.reset(token)


def sooner(deadline_s: float | None) -> float | None:
    """A request's own deadline in seconds, or what the attempt around it has left, whichever is over first."""
    left = _LEFT_S.get()
    if left is None or deadline_s is None:
        return left if deadline_s is None else deadline_s
    return min(left, deadline_s)
