"""What an attempt tells a router that is called inside it: its time left, and whether there are other models.

A thread can't be cancelled. Without the time limit a nested router would go on for its own time, and keep its permits
and reserved money as long. And if the outer router has another model, the nested one does not wait for a rate limit or
a free place: it fails at once and says how long it would have waited.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple

from capability_router.execution.effects import GRACE_S, Timeouts


class Around(NamedTuple):
    """The enclosing attempt: seconds left (None = unlimited), and whether other models could be asked."""

    left_s: float | None = None
    elsewhere: bool = False

    def sooner(self, deadline_s: float | None) -> float | None:
        """A request's own deadline in seconds, or what is left here, whichever is shorter."""
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
    """The attempt that encloses this request; an unlimited one if there is none."""
    return _AROUND.get()
