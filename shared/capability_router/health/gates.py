"""The gate: the time before which a model isn't called, by a rate limit or because its provider asks to wait.

A 429 says nothing about a model's health, only that this account sent too much. So it never counts
against the breaker; it closes the gate of (base_url, credential, model) until the time the provider
named, or, when it named none, for 1 s, 2 s, 4 s ... 60 s. Any other failure that names a time (a 503 with
Retry-After) closes it until then, and counts against the breaker all the same.

Before that, headers of answers say how many requests and tokens are left until when. Admitted calls are subtracted, so
that a burst does not run into a refusal. That is an estimate of the provider's own count: if no other model is left, a
call is made all the same (`Board.admit_over_learned_limit`).

A burst of calls in flight is refused all at once. Only a call that was sent after the gate was last closed says
something new; the others never make the guess longer.
"""

from __future__ import annotations

from math import inf

from capability_router.health.permit import NOBODY, RequestsAhead

_FIRST_S, _LONGEST_GUESS_S, _LONGEST_S = 1.0, 60.0, 3600.0
_SOON_S, _LASTS_S = 0.001, 60.0  # the least time until a limit is refilled; how long it is believed after that
_EPSILON = 1e-6  # below this, what is lacking is rounding
_LIMITED, ASKED = "rate limited", "its provider asks to wait"


class ReportedQuota:
    """What is left of a limit by the provider's report, less the calls under way. No lock, no clock; monotonic seconds.

    The provider may have counted a call under way or not; it is subtracted in any case. The answers of a burst may come
    in any order. So the answer to a call that was sent before the last answer came may be older than that one, and can
    only lower the value. If the provider also states the limit, it is assumed to refill evenly, for a minute.
    """

    __slots__ = ("_at", "_left", "_limit", "_per_s", "_told_at", "under_way", "until")

    def __init__(self) -> None:
        self._left = self._limit = inf
        self._per_s = self._at = self.under_way = 0.0
        self._told_at = -inf
        self.until = 0.0

    def told(self, left: int, limit: int | None, whole_in_s: float, now: float, sent_at: float = inf) -> None:
        """Take the count from the answer to a call sent at `sent_at` (infinity: just now), which has ended."""
        most = inf if sent_at >= self._told_at else self.left(now)
        whole_in_s = min(max(whole_in_s, _SOON_S), _LONGEST_S)
        known = limit is not None and limit > left
        self._limit = float(limit) if limit is not None and known else inf
        # The report is a whole number, so up to one more may be left, and less than the difference refills.
        self._per_s = max(self._limit - left - 1.0, 0.5) / whole_in_s if known else 0.0
        self._left, self._at, self._told_at = min(left - self.under_way, most), now, now
        self.until = now + whole_in_s + (_LASTS_S if known else 0.0)

    def take(self, amount: float, now: float) -> None:
        """A call of this size is admitted."""
        self.under_way += amount
        if now < self.until:
            self._left, self._at = self.left(now) - amount, now

    def end(self, amount: float) -> None:
        """That call has ended."""
        self.under_way -= amount

    def give(self, amount: float, now: float) -> None:
        """That call was never sent: what was subtracted for it is left."""
        if now < self.until:
            self._left, self._at = self.left(now) + amount, now

    def left(self, now: float) -> float:
        """How many are left; infinite if unknown."""
        return min(self._left + (now - self._at) * self._per_s, self._limit) if now < self.until else inf

    def wait_s(self, amount: float, now: float, ahead: float = 0.0) -> float:
        """Seconds until this much may be taken, and `ahead` before it.

        More than the limit may be taken when it is full.
        """
        short = min(amount, self._limit) + ahead - self.left(now)
        if short <= _EPSILON:
            return 0.0
        return min(short / self._per_s, self.until - now) if self._per_s > 0.0 else self.until - now


class RateLimitGate:
    """One account's gate for one model. Without a lock or clock; `now` and `until` are monotonic seconds.

    `until` 0.0 = open. A provider's hint is obeyed up to an hour, then looked at again. `counts`: whether the provider
    has said what is left. `told`: closing was reported, and opening not yet. `why`: for texts, what closed it.
    """

    __slots__ = ("_closed_at", "_guesses", "counts", "requests", "tokens", "told", "until", "why")

    def __init__(self) -> None:
        self.requests, self.tokens = ReportedQuota(), ReportedQuota()
        self.counts = self.told = False
        self._closed_at = -inf
        self.open()

    def __repr__(self) -> str:
        return f"RateLimitGate(until={self.until:g})"

    def open(self) -> None:
        """Forget the guesses, but not when it was closed: refusals of calls that were sent before say nothing new."""
        self.until = 0.0
        self.why = _LIMITED
        self._guesses = 0

    def take(self, tokens: float, now: float) -> None:
        """A call is admitted."""
        if self.counts:
            self.requests.take(1.0, now)
            self.tokens.take(tokens, now)
        else:
            self.requests.under_way += 1.0
            self.tokens.under_way += tokens

    def end(self, tokens: float) -> None:
        """A call has ended. (A forked child may end what its parent began.)"""
        requests, sizes = self.requests, self.tokens
        requests.under_way = requests.under_way - 1.0 if requests.under_way > 1.0 else 0.0
        sizes.under_way = sizes.under_way - tokens if sizes.under_way > tokens else 0.0

    def give(self, tokens: float, now: float) -> None:
        """A call that has ended was never sent."""
        if self.counts:
            self.requests.give(1.0, now)
            self.tokens.give(tokens, now)

    def forked(self) -> None:
        """In the child of a fork: the calls under way are its parent's."""
        self.requests.under_way = self.tokens.under_way = 0.0

    def allowed_in_s(self, tokens: float, now: float, ahead: RequestsAhead = NOBODY) -> float:
        """Seconds until the reported rest allows a call of so many tokens behind those ahead."""
        return max(self.requests.wait_s(1.0, now, ahead.calls), self.tokens.wait_s(tokens, now, ahead.tokens))

    def refused(self, now: float, taken_at: float, retry_after_s: float | None) -> None:
        """A call sent at `taken_at` met the rate limit; `retry_after_s` is the provider's hint."""
        if retry_after_s is not None and retry_after_s > 0:
            self.close(now, retry_after_s)
        elif taken_at >= self._closed_at:
            self.close(now, min(_FIRST_S * 2.0**self._guesses, _LONGEST_GUESS_S))
            self._guesses = min(self._guesses + 1, 10)

    def close(self, now: float, seconds: float, why: str = _LIMITED) -> None:
        """Close for `seconds` from now; never opens earlier than was set before."""
        until = now + min(seconds, _LONGEST_S)
        if until >= self.until:
            self.until, self.why = until, why
        self._closed_at = now

    def forget(self, now: float) -> None:
        """Open it, and forget what is left. Calls under way say nothing new, unless they bring a provider's hint."""
        self.open()
        self._closed_at = now
        self.requests.until = self.tokens.until = 0.0
        self.counts = False

    def passed(self, taken_at: float) -> None:
        """A call sent at `taken_at` was answered; one sent since the gate closed proves it open."""
        if self.until and taken_at >= self._closed_at:
            self.open()
