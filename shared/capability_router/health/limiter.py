"""The limits of one model, of calls at once and per minute, kept so that its provider needn't refuse.

Concurrency is a count of calls in flight. Requests and tokens per minute are token buckets that hold
one minute's allowance and refill evenly, as providers describe theirs. Tokens are estimated when a call is admitted
and corrected when it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from capability_router.health.permit import NOBODY, RequestsAhead

_UNLIMITED = sys.maxsize
_EPSILON = 1e-6
"""Below this, what a bucket lacks is rounding, not a shortage."""


class TokenBucket:
    """An allowance per minute. `level` may fall below 0 when an estimate was too low."""

    __slots__ = ("_at", "_per_s", "capacity", "level")

    def __init__(self, per_minute: float) -> None:
        self.capacity = self.level = float(per_minute)
        self._per_s = per_minute / 60.0
        self._at = 0.0

    def refill(self, now: float) -> None:
        """Bring the level up to date."""
        if now > self._at:
            self.level = min(self.capacity, self.level + (now - self._at) * self._per_s)
            self._at = now

    def wait_s(self, amount: float, now: float, ahead: float = 0.0) -> float:
        """Seconds until this much may be taken, and `ahead` before it.

        More than it can hold may be taken when it is full.
        """
        if now > self._at:
            self.refill(now)
        if amount + ahead <= self.level:
            return 0.0
        short = min(amount, self.capacity) + ahead - self.level
        return short / self._per_s if short > _EPSILON else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take this much, whether it is there or not."""
        if now > self._at:
            self.refill(now)
        self.level -= amount

    def give(self, amount: float, now: float) -> None:
        """Give back (negative: take what was estimated too low)."""
        self.refill(now)
        self.level = min(self.capacity, self.level + amount)

    def at_most(self, amount: float, now: float) -> None:
        """The provider says that no more than this is left."""
        self.refill(now)
        self.level = min(self.level, max(amount, 0.0))


class Limiter:
    """One candidate's limits: `concurrency`, `rpm`, `tpm`; a missing one doesn't limit.

    `most` calls at once: the stated limit, or the learned one (`set_learned_limit`) where that is lower.
    """

    __slots__ = ("_tokens_per_call", "in_flight", "most", "requests", "stated", "tokens")

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.in_flight = 0
        self._tokens_per_call = 0.0
        self.relimit(limits)

    def relimit(self, limits: Mapping[str, int]) -> None:
        """Take new limits; what is in flight stays so, the buckets are full."""
        self.most = self.stated = limits.get("concurrency", _UNLIMITED)
        self.requests = TokenBucket(limits["rpm"]) if "rpm" in limits else None
        self.tokens = TokenBucket(limits["tpm"]) if "tpm" in limits else None

    def set_learned_limit(self, calls: float) -> None:
        """Set the learned limit of calls at once."""
        self.most = self.stated if calls >= self.stated else int(calls)

    @property
    def metered(self) -> bool:
        """Whether there is a limit per minute."""
        return self.requests is not None or self.tokens is not None

    @property
    def tight(self) -> bool:
        """Whether the next call of usual size may have to wait."""
        if self.in_flight >= self.most or (self.requests is not None and self.requests.level < 1.0):
            return True
        left = self.tokens
        return left is not None and (left.level < self._tokens_per_call or left.level < 1.0)

    def full_behind(self, calls: int) -> bool:
        """Whether every slot is taken once so many more calls have started."""
        return self.in_flight + calls >= self.most

    def budget_wait_s(self, tokens: float, now: float, ahead: RequestsAhead = NOBODY) -> float:
        """Seconds until the limits per minute allow a call of this many tokens behind those ahead."""
        wait = 0.0 if self.requests is None else self.requests.wait_s(1.0, now, ahead.calls)
        more = 0.0 if self.tokens is None else self.tokens.wait_s(tokens, now, ahead.tokens)
        return more if more > wait else wait

    def queue_s(self, now: float, service_s: float, ahead: RequestsAhead = NOBODY) -> float:
        """Seconds that a call of usual size would wait here behind those ahead, by the mean duration of a call."""
        lacking = min(self.in_flight, self.most) + ahead.calls + 1 - self.most  # slots
        slot = lacking * service_s / self.most if lacking > 0 else 0.0
        return max(slot, self.budget_wait_s(self._tokens_per_call, now, ahead)) if self.metered else slot

    def usual(self, calls: int) -> RequestsAhead:
        """So many requests of usual size."""
        return RequestsAhead(calls, round(calls * self._tokens_per_call))

    def enter(self, tokens: int, now: float) -> None:
        """A call starts; its tokens are an estimate."""
        self.in_flight += 1
        if self.requests is not None:
            self.requests.take(1.0, now)
        if self.tokens is not None:
            self.tokens.take(tokens, now)
            self._tokens_per_call += (tokens - self._tokens_per_call) * 0.1

    def leave(self, tokens: int, used: int | None, now: float, *, sent: bool = True) -> None:
        """A call ended that was admitted with an estimate of `tokens` and used `used` (None = unknown).

        `sent` False gives the request back as well.
        """
        self.in_flight = max(self.in_flight - 1, 0)  # a forked child may end what its parent began
        if self.requests is not None and not sent:
            self.requests.give(1.0, now)
        if self.tokens is not None and used is not None:
            self.tokens.give(tokens - used, now)

    def left(self, requests: int | None, tokens: int | None, now: float) -> None:
        """Take over what the provider says is left of this minute's allowance; None = it doesn't say."""
        if self.requests is not None and requests is not None:
            self.requests.at_most(requests, now)
        if self.tokens is not None and tokens is not None:
            self.tokens.at_most(tokens, now)
