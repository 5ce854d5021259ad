"""How long a model takes: to its first token, per output token, and for a whole call.

Each is a running mean that starts from what the card says, as if that had been seen five times, and
in the end follows roughly the last ten calls. A first token waits until the input has been read, so the mean is of
what is left of a wait without that: seconds per token of input are the slope of the last waits (reading.py), and a
guess while these had about one size. Answers to very long inputs say nothing of how soon short ones begin otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from capability_router.health.reading import Reading

_PRIOR_WEIGHT, _MEMORY = 5, 10
_RING, _ENOUGH = 64, 20
_PEAK_S = 10.0
READING_S = 1e-4
"""Seconds per token of input before any were seen: published figures are 40 to 240 microseconds."""
_READING_WORTH = 50 * 1_000.0**2  # that guess counts as fifty inputs whose sizes are spread by 1,000 tokens
_READINGS = 50
_LONGEST_S = 3_600.0  # a longer wait is not for reading


class Mean:
    """A running mean of the recent; None until something is known."""

    __slots__ = ("_seen", "value")

    def __init__(self, prior: float | None = None) -> None:
        self.value = prior
        self._seen = 0 if prior is None else _PRIOR_WEIGHT

    def add(self, sample: float) -> None:
        """Take one more sample."""
        if self._seen < _MEMORY:
            self._seen += 1
        self.value = sample if self.value is None else self.value + (sample - self.value) / self._seen


class Peak:
    """The recent peak of waits: it jumps up, and falls towards what comes, or nothing, within tens of seconds."""

    __slots__ = ("_at", "_value")

    def __init__(self) -> None:
        self._value, self._at = 0.0, 0.0

    def add(self, sample: float, now: float) -> None:
        """Take one more sample."""
        if sample < self._value:
            sample += (self._value - sample) * self._fade(now)
        self._value, self._at = sample, now

    def value(self, now: float) -> float:
        """Seconds; silence lets it fall, so that nobody is left alone for ever for one bad wait."""
        return self._value * self._fade(now)

    def _fade(self, now: float) -> float:
        return math.exp((self._at - now) / _PEAK_S) if now > self._at else 1.0


class Latency:
    """One candidate's latency in seconds. `prior` is the card's: ttft_s, tokens_per_s."""

    __slots__ = ("_next", "_reading", "_readings", "_recent", "peak", "per_input", "service", "token", "ttft")

    def __init__(self, prior: Mapping[str, float]) -> None:
        speed = prior.get("tokens_per_s")
        self.ttft = Mean(prior.get("ttft_s"))
        self.token = Mean(1.0 / speed if speed else None)
        self.service = Mean()
        self.per_input = READING_S
        self._reading, self._readings = Reading(), 0
        self.peak = Peak()
        self._recent: list[float] = []
        self._next = 0

    def answered(
        self, ttft_s: float | None, elapsed_s: float | None, output_tokens: int, input_tokens: int = 0
    ) -> None:  # fmt: skip
        """Learn from a call that answered; what isn't known, finite and 0 or more teaches nothing."""
        ttft = ttft_s if ttft_s is not None and 0 <= ttft_s < math.inf else None
        elapsed = elapsed_s if elapsed_s is not None and 0 <= elapsed_s < math.inf else None
        if ttft is not None:
            self._read(ttft, input_tokens)
            self._first_token(ttft, input_tokens)
        if elapsed is not None:
            self.service.add(elapsed)
            self._whole(ttft, elapsed, output_tokens, input_tokens)

    def timed_out(self, elapsed_s: float, input_tokens: int = 0) -> None:
        """No first token came in this time: the true wait is at least as long."""
        if self.first_s(input_tokens) < elapsed_s < math.inf:
            self._first_token(elapsed_s, input_tokens)

    def first_s(self, input_tokens: int) -> float:
        """Seconds to the first token after an input of this size, as far as is known."""
        return (self.ttft.value or 0.0) + self.per_input * input_tokens

    def p95_s(self) -> float | None:
        """The 95th percentile of the last 64 waits for a first token; None while fewer than 20 are known."""
        if len(self._recent) < _ENOUGH:
            return None
        ranked = sorted(self._recent)
        return ranked[min(int(len(ranked) * 0.95), len(ranked) - 1)]

    def service_s(self) -> float:
        """Seconds a call lasts on average; a guess of 1 s while nothing is known."""
        return self.service.value or (self.ttft.value or 0.0) + 200 * (self.token.value or 0.0) or 1.0

    def _read(self, seconds: float, tokens: int) -> None:
        """Learn what reading takes."""
        if tokens > 0 and seconds <= _LONGEST_S:
            self._readings = min(self._readings + 1, _READINGS)
            self._reading.take(tokens, seconds, 1.0 / self._readings)
            self.per_input = self._reading.slope(READING_S, _READING_WORTH / self._readings)

    def _first_token(self, seconds: float, tokens: int) -> None:
        self.ttft.add(max(seconds - self.per_input * tokens, 0.0))
        if len(self._recent) < _RING:
            self._recent.append(seconds)
        else:
            self._recent[self._next] = seconds
            self._next = (self._next + 1) % _RING

    def _whole(self, ttft: float | None, elapsed: float, output_tokens: int, input_tokens: int) -> None:
        """Split a whole call into the wait and the writing; a unary call's wait is only guessed."""
        if ttft is None:
            guess = self.first_s(input_tokens)
            if elapsed < guess:
                self.ttft.add(max(elapsed - self.per_input * input_tokens, 0.0))
            ttft = min(guess, elapsed)
        if output_tokens > 0:
            self.token.add(max(elapsed - ttft, 0.0) / output_tokens)
