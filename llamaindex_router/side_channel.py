"""What an attempt and the built-in client tell each other around LlamaIndex's method signatures."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

from capability_router.execution.effects import Timeouts
from capability_router.execution.outer_limits import OuterLimits, set_outer_limits, unbound


class SideChannel:
    """On the way out the attempt's clocks in seconds, and whether there are others to ask; on the way back the headers.

    `overheard`: whether a stream has begun whose integration doesn't pass its end on; `end` is the raw chunk with which
    it ended. `exchange`: the built-in client's, once it has one.
    """

    __slots__ = ("elsewhere", "end", "exchange", "headers", "overheard", "timeouts")

    def __init__(self, timeouts: Timeouts | None = None, *, elsewhere: bool = False) -> None:
        self.timeouts, self.elsewhere = timeouts, elsewhere
        self.headers: Mapping[str, str] = {}
        self.overheard = False
        self.end: Any = None
        self.exchange: Any = None


_current: ContextVar[SideChannel | None] = ContextVar("llamaindex_router_side_channel", default=None)


Taken = tuple[Token[SideChannel | None], Token[OuterLimits] | None]


def taken(channel: SideChannel) -> Taken:
    """Calls made from here on belong to this attempt, until `left`."""
    return _current.set(channel), set_outer_limits(channel.timeouts, elsewhere=channel.elsewhere)


def left(before: Taken) -> None:
    """As before that `taken`."""
    token, bound = before
    unbound(bound)
    _current.reset(token)


def current_channel() -> SideChannel:
    """The attempt's channel; an empty one outside of any."""
    return _current.get() or SideChannel()
