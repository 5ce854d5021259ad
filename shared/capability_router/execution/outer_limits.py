"""Limits that an attempt sets for a router nested in it: the seconds left, and whether the outer one has other models.

By the time limit a nested router and its models know how long they have; driving/outer_attempt.py ends it when the
attempt is given up. And if the outer router has another model, the nested one does not wait for a rate limit or a free
place: it fails at once, with the time it would have waited in `retry_after_s`.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple

from capability_router.execution.effects import GRACE_S, Timeouts


class OuterLimits(NamedTuple):
    """The enclosing attempt: seconds left (None = unlimited), and whether its router has other models."""

    left_s: float | None = None
    elsewhere: bool = False

    def earlier_deadline(self, deadline_s: float | None) -> float | None:
        """The shorter of a request's own deadline and the seconds left here; None = neither is set."""
        if self.left_s is None or deadline_s is None:
            return self.left_s if deadline_s is None else deadline_s
        return min(self.left_s, deadline_s)


NOBODY = OuterLimits()
_AROUND: ContextVar[OuterLimits] = ContextVar("capability_router_around", default=NOBODY)


def set_outer_limits(clocks: Timeouts | None, *, elsewhere: bool = False) -> Token[OuterLimits] | None:
    """Set the limits for requests made in the current context; returns None if there is nothing to set.

    Give the token to `unbound` afterwards, unless the context ends with the attempt.
    """
    total = None if clocks is None else clocks.total
    if total is None and not elsewhere:
        return None
    return _AROUND.set(OuterLimits(_AROUND.get().left_s if total is None else total + GRACE_S, elsewhere))


def unbound(token: Token[OuterLimits] | None) -> None:
    """Undo a `set_outer_limits`."""
    if token is not None:
        _AROUND.reset(token)


def around() -> OuterLimits:
    """The attempt that encloses the current context; NOBODY, without limits, if there is none."""
    return _AROUND.get()
