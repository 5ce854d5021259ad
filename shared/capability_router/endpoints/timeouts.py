"""The four timeouts of one call: connect, first_token, between_tokens, total."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from capability_router.concurrency.loop_timer import Lateness
from capability_router.errors import ConfigError


class TimeoutsLike(Protocol):
    """Four timeouts in seconds; None = no limit."""

    @property
    def connect(self) -> float | None:
        """Opening a connection."""
        ...

    @property
    def first_token(self) -> float | None:
        """From the start to the first text, reasoning or tool call."""
        ...

    @property
    def between_tokens(self) -> float | None:
        """From one event of a stream to the next."""
        ...

    @property
    def total(self) -> float | None:
        """The whole call."""
        ...


class ClientTimeouts(NamedTuple):
    """An endpoint's own timeouts in seconds; a call's own ones override them.

    `first_token` counts from the start of the call to the first text, reasoning or tool call;
    both it and `between_tokens` (two events of a stream) are for streams only.
    """

    connect: float | None = 10.0
    first_token: float | None = None
    between_tokens: float | None = None
    total: float | None = 600.0

    def under(self, asked: TimeoutsLike | None) -> ClientTimeouts:
        """These timeouts, overridden by a call's own."""
        if asked is None:
            return self
        mine = zip(self, (asked.connect, asked.first_token, asked.between_tokens, asked.total), strict=True)
        return ClientTimeouts(*(old if new is None else new for old, new in mine))

    @classmethod
    def parse(cls, value: Any, owner: str) -> ClientTimeouts:
        """From a mapping of the four, or one number for `total`; raises ConfigError."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            return cls(total=_seconds(owner, "total", value))
        for name in value:
            if name not in cls._fields:
                raise ConfigError(f"model {owner!r}: unknown timeout {name!r}; known: {', '.join(cls._fields)}")
        return cls(**{name: _seconds(owner, name, seconds) for name, seconds in value.items()})


def _seconds(owner: str, name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigError(f"model {owner!r}: timeouts.{name} must be a number of seconds above 0, got {value!r}")
    return float(value)


class CallDeadline:
    """How long the next read or write of one call may still take.

    The sockets call `left()` before every read, so that the limit can change in the middle of a response. A timeout
    that is set at the start could not.
    """

    __slots__ = (
        "_end", "_first_end", "_fresh", "_now", "_step_end", "_total_by", "clocks", "lateness", "step", "stream",
        "wrote",
    )  # fmt: skip

    def __init__(
        self, clocks: ClientTimeouts, *, stream: bool, now: Callable[[], float], total_by: str = "timeouts.total"
    ) -> None:
        self.clocks, self.stream, self._now, self._total_by = clocks, stream, now, total_by
        start = now()
        self._end = math.inf if clocks.total is None else start + clocks.total
        first = clocks.first_token if stream else None
        self._first_end = math.inf if first is None else start + first
        self.anew()
        self.lateness = Lateness(hard=total_by == "deadline_s")
        self.wrote = False  # whether any of the call has gone out

    def anew(self) -> None:
        """The same call is sent again: the timeouts run on as if nothing had been received."""
        self.step, self._step_end, self._fresh = "first_token", self._first_end, False

    def stop(self) -> None:
        """The call was given up: nothing more is sent or read, also by a thread that can't be cancelled."""
        self._end = self._now()

    def left(self) -> float | None:
        """Seconds until the next timeout; None = no limit. May be 0 or less."""
        return self.left_until(math.inf)

    def grace_s(self, late_s: float) -> float | None:
        """Seconds for a read that begins so late, to read what had come in time; None = it was not kept from it.

        A blocking read is never late by itself, the program was busy. As with a LoopTimer a small delay is no excuse,
        and who sends on and on is not read for ever.
        """
        return self.lateness.grace_s if self.lateness.excuses(late_s, 0.0, self._now()) else None

    def connect(self) -> ConnectDeadline:
        """How long opening a connection that begins now may take."""
        own = self.clocks.connect
        return ConnectDeadline(self, math.inf if own is None else self._now() + own)

    def left_until(self, end: float) -> float | None:
        """Seconds until the next timeout, or this moment, whichever comes first; None = no limit."""
        end = min(end, self._end, self._step_end)
        return None if end == math.inf else end - self._now()

    def event(self, carries: bool) -> None:
        """An event of the stream came; `carries`: it has the answer's first text, reasoning or tool call."""
        self._fresh = True
        if carries:
            self.step = "between_tokens"

    def waiting(self) -> None:
        """The reader waits again. The time that the caller spent between two chunks does not count."""
        if self._fresh and self.step == "between_tokens":
            pause = self.clocks.between_tokens
            self._step_end = math.inf if pause is None else self._now() + pause
        self._fresh = False

    def linger(self, seconds: float) -> None:
        """Everything needed has come: wait at most this long for the end of the response."""
        self.step, self._step_end, self._fresh = "", self._now() + seconds, False

    def setting(self, clock: str) -> str:
        """The setting of this timeout, for error texts."""
        return self._total_by if clock == "total" else f"timeouts.{clock}"

    def expired_timeout(self, *, connecting: bool) -> tuple[str, float | None]:
        """Which timeout has passed, and its limit."""
        limit = self.clocks.connect
        if connecting and limit is not None and min(self._end, self._step_end) > self._now():
            return "connect", limit
        name = "total" if self._end <= self._step_end else self.step
        return name, getattr(self.clocks, name, None)


class ConnectDeadline(NamedTuple):
    """How long opening a connection may still take, all its steps together: each address of the host, and TLS."""

    patience: CallDeadline
    end: float

    def left(self) -> float | None:
        """Seconds; None = no limit."""
        return self.patience.left_until(self.end)
