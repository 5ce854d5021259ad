"""What passes between the board and the execution of calls: a permit or a hold, then a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from capability_router.health.lane import Lane

HoldKind = Literal["breaker", "rate_limit", "full", "disabled", "probing", "isolated"]


@dataclass(slots=True)
class Hold:
    """Why a model can't be called now. `until`: monotonic seconds; None = until someone resets it.

    `kind` "probing": its credential or name was refused, and one call is trying it again.
    `mend`: what its user can do about it, "raise limits.rpm"; "" = wait. `learned`: it is full by a limit of calls at
    once that nobody stated. `guessed`: nothing is known of how long its calls last, so that `until` says no more than
    when to look.
    """

    reason: str
    until: float | None
    kind: HoldKind
    mend: str = ""
    learned: bool = False
    guessed: bool = False

    @property
    def by(self) -> str:
        """In a word: its kind, or "learned_limit"."""
        return "learned_limit" if self.learned else self.kind


class Permit:
    """The right to make one call: a pass through the breaker and a slot of the limiter.

    `tokens` is the estimate it was let in with, `taken_at` monotonic seconds. To be settled exactly
    once; `forced` = passed an open breaker or a closed gate because every model was held; `trial` = tries a
    credential or model that was refused. `worked`: seconds that this process
    had worked, or been kept from its loop, by then. `silent`: nothing of its answer has come yet; `whole`: it is no
    stream.
    """

    __slots__ = (
        "epoch", "forced", "half_open", "id", "lane", "settled", "silent", "taken_at", "tokens", "trial", "whole",
        "worked",
    )  # fmt: skip

    def __init__(
        self, lane: Lane, epoch: int, half_open: bool, tokens: int, taken_at: float, forced: bool = False,
        trial: bool = False, worked: float = 0.0,
    ) -> None:  # fmt: skip
        self.lane = lane
        self.id = lane.id
        self.epoch = epoch
        self.half_open = half_open
        self.tokens = tokens
        self.taken_at = taken_at
        self.forced = forced
        self.trial = trial
        self.worked = worked
        self.settled = False
        self.silent = True
        self.whole = False

    def heard(self) -> None:
        """The first content of its answer has come. Needs no lock: of two at once one may be taken for the other."""
        self.silent, silence = False, self.lane.silence
        if self.taken_at > silence.heard_since:
            silence.heard_since = self.taken_at

    def __repr__(self) -> str:
        marks = "".join(f", {name}" for name in ("half_open", "forced", "trial", "settled") if getattr(self, name))
        return f"Permit({self.id!r}, epoch={self.epoch}{marks})"


@dataclass(slots=True)
class Verdict:
    """How a call ended. Seconds and tokens; None and 0 = unknown.

    `blame` is the fault's (`FaultKind.blame`); `ok` wins over it. `neutral`: it was never sent or its
    caller went away, so it says nothing. `tokens`: input and output together. `slow`: a time limit cut
    it off, so it counts as slow however short it was. `late`: this process was late for that limit.
    `overloaded`: the provider had too much to do. `whole`: it was no stream, so it has no
    `ttft_s`: how long it took tells of its length, not of a queue. `detail` holds no prompt and no key.
    It is never changed. Making it frozen would take twice as long.
    """

    ok: bool
    neutral: bool = False
    blame: str = "none"
    retry_after_s: float | None = None
    ttft_s: float | None = None
    elapsed_s: float | None = None
    output_tokens: int = 0
    tokens: int = 0
    detail: str = ""
    slow: bool = False
    overloaded: bool = False
    late: bool = False
    whole: bool = False
