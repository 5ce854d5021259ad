"""An adaptive concurrency limit: how many calls at once a model takes, learned from refusals and late first tokens.

There is no limit until one is learned. A refusal (429, 529) with more than four calls in flight sets it to four fifths
of the calls in flight. Answers at the limit raise it by one per round, as TCP does. It is also cut when first tokens
take twice as long as usual while several calls are in flight: then calls queue at the provider. "As usual" is for an
input of that size (a straight line through recent waits), because a longer input takes longer to read.

Replies that are not streamed have no first token and don't count. Neither do waits in which the caller's own process
was busy or blocked its event loop. The limit is never below four: a model that refuses so few is short of something
else. It ends after five minutes without a cut.
"""

from __future__ import annotations

import math

from capability_router.health.wait_by_size import WaitBySize

_CUT, _LATE_CUT, _LEAST = 0.8, 0.9, 4
_LATE, _LATE_BY_S, _ENOUGH = 2.0, 0.1, 50  # twice the usual wait, and a tenth of a second, among so many
_FAST, _SLOW = 0.2, 0.02  # weights of a new sample
_FORGOTTEN_S = 300.0


class ConcurrencyLimit:
    """One candidate's learned limit of calls in flight; `limit` is infinite while none is known. No lock, no clock.

    Calls that were sent before `since` teach no limit.
    """

    __slots__ = ("_cut_at", "_fast", "_seen", "_size", "_usual", "limit", "why")

    def __init__(self, since: float = -math.inf) -> None:
        self.limit = math.inf
        self.why = ""  # what the limit was learned from
        self._cut_at = since
        self._fast = self._size = 0.0  # of the newest calls: their waits and tokens
        self._usual = WaitBySize()
        self._seen = 0

    def refused(self, in_flight: int, sent_at: float, now: float) -> None:
        """The provider was overloaded. A call sent before the last cut says nothing new."""
        if in_flight > _LEAST and sent_at >= self._cut_at:
            self._cut(min(self.limit, in_flight) * _CUT, now, "refusals (429, 529) under load")

    def answered(self, in_flight: int, ttft_s: float | None, sent_at: float, now: float, tokens: int = 0) -> None:
        """A call with `tokens` of input was answered, with `in_flight` calls under way (itself included)."""
        if self.limit < math.inf:
            if now - self._cut_at > _FORGOTTEN_S:
                self.limit = math.inf
            elif in_flight >= self.limit - 1.0:
                self.limit += 1.0 / self.limit
        if ttft_s is not None:
            self._waited(ttft_s, tokens)
            if in_flight > _LEAST and sent_at >= self._cut_at and self._late:
                self._cut(min(self.limit, in_flight) * _LATE_CUT, now, "first tokens that came late under load")

    def _waited(self, ttft_s: float, tokens: int) -> None:
        self._seen += 1
        first = self._seen == 1
        self._usual.take(tokens, ttft_s, 1.0 if first else _SLOW)
        self._fast += (ttft_s - self._fast) * (1.0 if first else _FAST)
        self._size += (tokens - self._size) * (1.0 if first else _FAST)

    @property
    def _late(self) -> bool:
        return self._seen >= _ENOUGH and self._fast > _LATE * self._usual.at(self._size) + _LATE_BY_S

    def _cut(self, limit: float, now: float, why: str) -> None:
        self.limit, self._cut_at, self.why = max(limit, float(_LEAST)), now, why

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit {self.limit:.1f} at once>"
