"""Events: the input of the state machine. Each carries the time at which it happened.

`others` and `replies` map the numbers of other attempts in flight to their replies so far, because the machine may end
these attempts. They are empty if no other attempt is in flight.

Events and effects (effects.py) are never changed. They are neither frozen nor tuples, because plain classes are created
in half the time, and each request creates a dozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from capability_router.faults.kinds import Fault
from capability_router.request import Reply, Usage

Replies = Mapping[int, Reply]
NONE: Replies = MappingProxyType({})
NEVER_ASKED = Reply(usage=Usage())
"""The reply of an attempt that was never sent: its model has read nothing, so it costs nothing and counts nowhere."""


@dataclass(slots=True)
class Began:
    """The request begins."""

    at: float


@dataclass(slots=True)
class SentLate:
    """An attempt is sent only now, because this process was busy since its launch: its timeouts begin here."""

    at: float
    attempt: int


@dataclass(slots=True)
class ChunkArrived:
    """An attempt's first chunk with text, reasoning or a tool call has come."""

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
    """An attempt ended with a fault; `reply` is what it had given so far."""

    at: float
    attempt: int
    fault: Fault
    reply: Reply
    others: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Cancelled:
    """The caller cancelled or closed the request, or an error that is not the provider's is raised."""

    at: float
    replies: Replies = field(default_factory=dict)


@dataclass(slots=True)
class Funded:
    """The effect Fund was performed: the store has answered."""

    at: float


@dataclass(slots=True)
class AlarmRang:
    """The time of SetAlarm has come. `late_s`: how late, in seconds, because this process was busy or stopped.

    `by_reader`: the answer goes on, but its reader took the time.
    """

    at: float
    replies: Replies = field(default_factory=dict)
    late_s: float = 0.0
    by_reader: bool = False


Event = Began | SentLate | ChunkArrived | Completed | Faulted | Cancelled | AlarmRang | Funded
