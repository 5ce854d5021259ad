"""Events: the machine's only input. Each carries the time at which it happened.

`others` and `replies` are what attempts in flight have given so far, by their numbers: the machine may end
them. They are empty while only the attempt that the event is about is in flight.

Events and effects (effects.py) are never changed. They are neither frozen nor tuples, because plain classes are made in
half the time, and each request makes a dozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from capability_router.faults.kinds import Fault
from capability_router.request import Reply

Replies = Mapping[int, Reply]
NONE: Replies = MappingProxyType({})


@dataclass(slots=True)
class Began:
    """The caller wants an answer."""

    at: float


@dataclass(slots=True)
class ChunkArrived:
    """An attempt gave its first chunk that carries text, reasoning or a tool call."""

    at: float
    attempt: int
    others: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Completed:
    """An attempt's reply or stream ended without an exception."""

    at: float
    attempt: int
    reply: Reply
    others: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Faulted:
    """An attempt ended with a fault; `reply` is what had been seen of it."""

    at: float
    attempt: int
    fault: Fault
    reply: Reply
    others: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Cancelled:
    """The caller went away, or an error that is no provider's passes through."""

    at: float
    replies: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Funded:
    """A store has been asked for the money of the next launch."""

    at: float


@dataclass(slots=True)
class AlarmRang:
    """The time asked for by SetAlarm has come; `late_s`: so long ago, for this process was away."""

    at: float
    replies: Replies = field(default_factory=dict)
    late_s: float = 0.0


Event = Began | ChunkArrived | Completed | Faulted | Cancelled | AlarmRang | Funded
