"""Effects: what the driver must do, the machine's only output. Why these are no tuples: see events.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from capability_router.plan import Candidate
from capability_router.request import Outcome


@dataclass(slots=True)
class Timeouts:
    """The four clocks of one attempt, in seconds; None = not limited. `total` respects the deadline.

    `first_token` and `between_tokens` are for streams: a whole reply's first byte comes with its last.
    `total_by` is the setting that `total` comes from, for error texts.
    """

    connect: float | None = None
    first_token: float | None = None
    between_tokens: float | None = None
    total: float | None = None
    total_by: str = "timeouts.total"


GRACE_S = 0.25
"""How much later than its attempt's clock a client's own time-out is set, so that the error names the setting.

That time-out bounds each read of a socket and never the whole: it ends the thread of an attempt that was given up.
"""


@dataclass(slots=True)
class Launch:
    """Start this attempt. `after` is the previous attempt's fault, "" for the first, "silence" for a hedge.

    `prefix` is the beginning of the answer, which it is to go on with. `elsewhere`: there is another target to ask.
    """

    attempt: int
    candidate: Candidate
    timeouts: Timeouts
    after: str = ""
    prefix: str = ""
    elsewhere: bool = False

    def __repr__(self) -> str:
        """Without the text."""
        return f"Launch({self.attempt}, {self.candidate.id!r}, after={self.after!r}, resumes={bool(self.prefix)})"


@dataclass(slots=True)
class Abort:
    """Close this attempt; whatever it still gives is not wanted."""

    attempt: int


@dataclass(slots=True)
class SetAlarm:
    """Ring at this time, unless another effect comes first. None = no alarm."""

    at: float | None


@dataclass(slots=True)
class Deliver:
    """This attempt's chunks, held and coming, are the answer."""

    attempt: int


@dataclass(slots=True)
class Fund:
    """Have the money for the next launch lent by a store, which takes time; then say that it is there.

    `borrow` does I/O and never raises for a store that is away.
    """

    borrow: Callable[[], None]


@dataclass(slots=True)
class Conclude:
    """The request is over. `error` is to be raised, if any."""

    outcome: Outcome
    error: BaseException | None = None


Effect = Launch | Abort | SetAlarm | Deliver | Fund | Conclude
