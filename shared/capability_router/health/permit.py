"""What passes between the board and the execution of calls: a permit or a hold, then a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from capability_router.health.candidate_health import CandidateHealth

HoldKind = Literal["breaker", "rate_limit", "full", "disabled", "probing", "isolated"]


class RequestsAhead:
    """The requests that wait for a model before another one, and their input tokens: it leaves them what they need.

    `tokens`: or what counts them, when they are first read: only a model with a limit of tokens asks for them.
    """

    __slots__ = ("_tokens", "calls")

    def __init__(self, calls: int = 0, tokens: int | Callable[[], int] = 0) -> None:
        self.calls = calls
        self._tokens = tokens

    @property
    def tokens(self) -> int:
        """Tokens of input, of all of them together."""
        if not isinstance(self._tokens, int):
            self._tokens = self._tokens()
        return self._tokens

    @property
    def told(self) -> str:
        """Why a call is held behind them; "" = there are none."""
        calls = self.calls
        return f"full: {calls} request{'s wait' if calls > 1 else ' waits'} before this one" if calls else ""


NOBODY = RequestsAhead()


@dataclass(slots=True)
class Hold:
    """Why a model can't be called now. `until`: monotonic seconds; None = until someone resets it.

    `kind` "probing": its credential or name was refused, and one call is trying it again.
    `mend`: what the user can do about it, such as "raise limits.rpm"; "" = wait. `learned`: it is full by a learned
    concurrency limit. `guessed`: the duration of its calls is unknown, so `until` only says when to look again.
    `not_before`: of an open breaker, when it may be passed, because its provider asks to wait until then; 0.0 = now.
    `paused`: it is full, and its breaker is open or its gate closed as well.
    """

    reason: str
    until: float | None
    kind: HoldKind
    mend: str = ""
    learned: bool = False
    guessed: bool = False
    not_before: float = 0.0
    paused: bool = False

    @property
    def by(self) -> str:
        """In a word: its kind, or "learned_limit"."""
        return "learned_limit" if self.learned else self.kind


class Permit:
    """The right to make one call: a pass through the breaker and a slot of the limiter.

    It must be settled exactly once. `tokens`: the estimate it was admitted with; `taken_at`: monotonic seconds.
    `forced`: it passed an open breaker or a closed gate because every model was held. `trial`: it tries a disabled
    credential or model. `worked`: processor seconds and loop lag of this process at the start. `silent`: nothing of the
    answer has come yet. `whole`: it is no stream.
    """

    __slots__ = (
        "epoch", "forced", "half_open", "id", "lane", "settled", "silent", "taken_at", "tokens", "trial", "whole",
        "worked",
    )  # fmt: skip

    def __init__(
        self, lane: CandidateHealth, epoch: int, half_open: bool, tokens: int, taken_at: float, forced: bool = False,
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

    `blame` is the fault's (`FaultKind.blame`); `ok` overrides it. `neutral`: it was never sent, or its caller left, so
    it says nothing. `sent`: its provider may have counted it; only what was not sent is given back to limits per
    minute. `tokens`: input and output together. `slow`: a time limit cut it off, so it counts as slow
    however short it was. `late`: this process was late for that limit. `overloaded`: the provider was overloaded.
    `whole`: it was no stream, so it has no `ttft_s`, and its duration depends on its length, not on a queue. `detail`
    holds no prompt and no key.
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
    sent: bool = True

    def used(self, *, refused: bool) -> int | None:
        """Tokens the provider will have counted; None = take the estimate."""
        if refused or not self.sent:
            return 0
        return self.tokens if self.tokens > 0 else None

    def read(self, estimate: int) -> int:
        """Tokens of input: as they were told, else as they were estimated; 0 = unknown."""
        told = self.tokens - self.output_tokens
        return told if told > 0 else estimate


UNSENT = Verdict(ok=False, neutral=True, sent=False)
"""Of a call that was admitted, and not made after all."""
