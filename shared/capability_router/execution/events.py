"""What happened: the machine's only input. Each event carries the time at which it happened.

`others` and `replies` are what attempts in flight have given so far, by their numbers: the machine may end
them. They are empty while only the attempt that the event is about is in flight.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from capability_router.faults.kinds import Fault
from capability_router.request import Reply

Replies = Mapping[int, Reply]
NONE: Replies = MappingProxyType({})


class Began(NamedTuple):
    """The caller wants an answer."""

    at: float


class ChunkArrived(NamedTuple):
    """An attempt gave its first chunk that carries text, reasoning or a tool call."""

    at: float
    attempt: int
    others: Replies = NONE


class Completed(NamedTuple):
    """An attempt's reply or stream ended without an exception."""

    at: float
    attempt: int
    reply: Reply
    others: Replies = NONE


class Faulted(NamedTuple):
    """An attempt ended with a fault; `reply` is what had been seen of it."""

    at: float
    attempt: int
    fault: Fault
    reply: Reply
    others: Replies = NONE


class Cancelled(NamedTuple):
    """The caller went away, or an error that is no provider's passes through."""

    at: float
    replies: Replies = NONE


class Funded(NamedTuple):
    """A store has been asked for the money of the next launch."""

    at: float


class AlarmRang(NamedTuple):
    """The time asked for by SetAlarm has come; `late_s`: so long ago, for this process was away."""

    at: float
    replies: Replies = NONE
    late_s: float = 0.0


Event = Began | ChunkArrived | Completed | Faulted | Cancelled | AlarmRang | Funded
