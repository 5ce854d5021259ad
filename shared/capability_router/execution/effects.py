"""Effects: the output of the state machine, which the driver performs. Plain classes, as the events are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from capability_router.plan import Candidate
from capability_router.request import Outcome


@dataclass(slots=True)
class Timeouts:
    """The four timeouts of one attempt, in seconds; None = no limit. `total` is at most the time to the deadline.

    `first_token` and `between_tokens` are for streams only. `total_by`: the setting that `total` comes from, for error
    texts.
    """

    connect: float | None = None
    first_token: float | None = None
    between_tokens: float | None = None
    total: float | None = None
    total_by: str = "timeouts.total"


GRACE_S = 0.25
"""Seconds by which a client's own timeout is longer than the attempt's, so that the router's error comes first.

The client's timeout bounds each read of a socket, not the whole call. It ends the thread of an abandoned attempt.
"""


@dataclass(slots=True)
class Launch:
    """Start this attempt.

    `after`: the previous attempt's fault; "" for the first, "silence" for a hedge. `prefix`: the beginning of the
    answer, if this attempt is to continue one. `elsewhere`: whether there is another target to try. `moves`: whether
    its server is another than that of the attempt that failed before it; True for the first.
    """

    attempt: int
    candidate: Candidate
    timeouts: Timeouts
    after: str = ""
    prefix: str = ""
    elsewhere: bool = False
    moves: bool = True

    def __repr__(self) -> str:
        """Without the answer's text."""
        return f"Launch({self.attempt}, {self.candidate.id!r}, after={self.after!r}, resumes={bool(self.prefix)})"


@dataclass(slots=True)
class Abort:
    """Close this attempt and ignore what it still gives."""

    attempt: int


@dataclass(slots=True)
class SetAlarm:
    """Feed AlarmRang at this time, unless other effects come first. None = no alarm."""

    at: float | None


@dataclass(slots=True)
class Deliver:
    """Give the caller this attempt's chunks, those held back and all further ones."""

    attempt: int


@dataclass(slots=True)
class Fund:
    """Call `borrow`, which borrows money for the next launch from a store, then feed Funded; `until` at the latest.

    `borrow` does I/O. It does not raise if the store can't be reached. What comes too late is given back.
    """

    borrow: Callable[[], None]
    until: float = inf


@dataclass(slots=True)
class Conclude:
    """The request is over. Raise `error`, if there is one."""

    outcome: Outcome
    error: BaseException | None = None


Effect = Launch | Abort | SetAlarm | Deliver | Fund | Conclude
