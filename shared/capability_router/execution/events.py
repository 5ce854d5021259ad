"""What happened: the machine's only input. Each event carries the time at which it happened."""

from __future__ import annotations

from typing import NamedTuple

from capability_router.faults.kinds import Fault
from capability_router.request import Reply


class Began(NamedTuple):
    """The caller wants an answer."""

    at: float


class ChunkArrived(NamedTuple):
    """An attempt gave its first chunk that carries text, reasoning or a tool call."""

    at: float
    attempt: int


class Completed(NamedTuple):
    """An attempt's reply or stream ended without an exception."""

    at: float
    attempt: int
    reply: Reply


class Faulted(NamedTuple):
    """An attempt ended with a fault; `reply` is what had been seen of it."""

    at: float
    attempt: int
    fault: Fault
    reply: Reply


class Cancelled(NamedTuple):
    """The caller went away, or an error that is no provider's passes through.

    `reply` is what the outstanding attempt had given so far.
    """

    at: float
    reply: Reply


class AlarmRang(NamedTuple):
    """The time asked for by SetAlarm has come."""

    at: float
    reply: Reply = Reply()


Event = Began | ChunkArrived | Completed | Faulted | Cancelled | AlarmRang
