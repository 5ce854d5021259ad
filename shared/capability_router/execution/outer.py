"""What an attempt tells a router that is called inside it: its time, and whether somebody else could be asked.

A thread can't be cancelled: without the time a router within a router would go on for its own, and keep its
permits and its reserved money as long. And what it would wait for, a rate limit's end or a free place, the router
around it needn't wait for where it has another model: that is told at once, with how long it would have been.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple

from capability_router.execution.effects import GRACE_S, Timeouts


class Around(NamedTuple):
    """The attempt around: what it has left in seconds, None = as long as it takes, and whether others may be asked."""

    left_s: float | None = None
    elsewhere: bool = False

    def sooner(self, deadline_s: float | None) -> float | None:
        """A request's own deadline in seconds, or what is left here, whichever is over first."""
        if self.left_s is None or deadline_s is None:
            return self.left_s if deadline_s is None else deadline_s
        return min(self.left_s, deadline_s)


NOBODY = Around()
_AROUND: ContextVar[Around] = ContextVar("capability_router_around", default=NOBODY)


def bound_inside(clocks: Timeouts | None, *, elsewhere: bool = False) -> Token[Around] | None:
    """Bound the requests that are made in this context from here on; what bounds nothing changes nothing (None).

    Undone by `unbound`, except in a context that is the attempt's own and ends with it.
    """
    total = None if clocks is None else clocks.total
    if total is None and not elsewhere:
        return None
    return _AROUND.set(Around(_AROUND.get().left_s if total is None else total + GRACE_S, elsewhere))


def unbound(token: Token[Around] | None) -> None:
    """As before that `bound_inside`."""
    if token is not None:
        _AROUND.reset(token)


def around() -> Around:
    """What the attempt around this request allows it; one that says nothing where there is none."""
    return _AROUND.get()
