"""A model's latency: to its first token, per output token, and for a whole call.

Each is a running mean that starts from what the card says, as if that had been seen five times, and
in the end follows roughly the last ten calls. A reply that is not streamed has no first token: it teaches how long
answers take, and for how many tokens, as streams do too, and so every model's answers are foreseen alike.

A first token waits until the input has been read. Seconds per token of input are the slope of the last streams' waits
(reading.py), and a guess while these had about one size. What is foreseen is what is left of waits and answers without
that, so that answers to very long inputs say nothing of how soon short ones begin otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from capability_router.health.wait_by_size import WaitBySize
from capability_router.stats.percentile import percentile

_PRIOR_WEIGHT, _MEMORY = 5, 10
_RING, _ENOUGH = 64, 20
_PEAK_S = 10.0
READING_S = 1e-4
"""Seconds per token of input before any were seen: published figures are 40 to 240 microseconds."""
_READING_WORTH = 50 * 1_000.0**2  # that guess counts as fifty inputs whose sizes are spread by 1,000 tokens
_READINGS = 50
_LONGEST_S = 3_600.0  # a longer wait is not for reading
_TOKENS = 200  # of the answer that a card's speed stands for
_WAIT_S = 0.5  # for a first token that was never seen, and half of the answer's time at most
_WRITING_S = 0.1  # per token at most: a reply that took longer has waited
_TEXT, _AT_ONCE_S = 20, 0.0001  # so many tokens are a text; no model writes 10,000 of them in a second


class RunningMean:
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


class PeakEwma:
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
        """Seconds. It falls while there are no calls, so that one bad wait does not exclude a model for ever."""
        return self._value * self._fade(now)

    def _fade(self, now: float) -> float:
        return math.exp((self._at - now) / _PEAK_S) if now > self._at else 1.0


class RecentSamples:
    """The last 64 of something, in seconds."""

    __slots__ = ("_kept", "_next", "_p95")

    def __init__(self) -> None:
        self._kept: list[float] = []
        self._next = 0
        self._p95: float | None = None  # of what is kept now, once it was asked for

    def add(self, seconds: float) -> None:
        """Take one more; of more than 64 the oldest is forgotten."""
        self._p95 = None
        if len(self._kept) < _RING:
            self._kept.append(seconds)
        else:
            self._kept[self._next] = seconds
            self._next = (self._next + 1) % _RING

    def p95_s(self) -> float | None:
        """Their 95th percentile; None while fewer than 20 are known."""
        if self._p95 is None and len(self._kept) >= _ENOUGH:
            self._p95 = percentile(self._kept, 0.95)
        return self._p95


class Latency:
    """One candidate's latency in seconds. `prior` is the card's: ttft_s, tokens_per_s.

    `ttft`: the wait for the first token, which only streams teach; `took`, `size`: how long answers last, and their
    output tokens, streamed or not. `begins`, `lasts`: the waits and the answers without the reading of the input,
    `per_input` for each of its tokens, which is taken off each: off a mean it would leave nothing of the short ones
    while it is guessed too high. A model that is only streamed and one that never is are compared by the same line.
    """

    __slots__ = (
        "_firsts", "_lengths", "_reading", "_readings", "_waits", "begins", "lasts", "peak", "per_input",
        "size", "took", "ttft",
    )  # fmt: skip

    def __init__(self, prior: Mapping[str, float]) -> None:
        ttft, speed = prior.get("ttft_s"), prior.get("tokens_per_s")
        wait = _WAIT_S if ttft is None else ttft
        self.ttft, self.begins = RunningMean(ttft), RunningMean(ttft)
        usual = wait + _TOKENS / speed if speed else None
        self.took, self.lasts = RunningMean(usual), RunningMean(usual)
        self.size = RunningMean(_TOKENS if speed else None)
        self.per_input = READING_S
        self._reading, self._readings = WaitBySize(), 0
        self.peak = PeakEwma()
        self._firsts = RecentSamples()
        self._waits, self._lengths = (
            RecentSamples(),
            RecentSamples(),
        )  # of those that answered, without the reading of the input

    def answered(
        self, ttft_s: float | None, elapsed_s: float | None, output_tokens: int, input_tokens: int = 0
    ) -> None:  # fmt: skip
        """Learn from a call that answered; what isn't known, finite and 0 or more teaches nothing.

        `ttft_s`: None of a reply that was not streamed.
        """
        ttft = ttft_s if ttft_s is not None and 0 <= ttft_s < math.inf else None
        elapsed = elapsed_s if elapsed_s is not None and 0 <= elapsed_s < math.inf else None
        if ttft is not None and not _in_one_piece(ttft, elapsed, output_tokens):
            self._read(ttft, input_tokens)
            self._waits.add(self._first_token(ttft, input_tokens))
        if elapsed is not None:
            self._lengths.add(self._lasted(elapsed, input_tokens))
            if output_tokens > 0:
                self.size.add(output_tokens)

    def timed_out(self, elapsed_s: float, input_tokens: int = 0, *, whole: bool = False) -> None:
        """Nothing came in this time, of a `whole` reply or of a stream: the true wait is at least as long."""
        if not math.isfinite(elapsed_s):
            return
        if whole:
            if elapsed_s > (self.took.value or 0.0):
                self._lasted(elapsed_s, input_tokens)
        elif elapsed_s > self.first_s(input_tokens):
            wait, each = self.line()
            self._first_token(elapsed_s, input_tokens)
            if wait is not None and self.took.value is not None:
                self._lasted(elapsed_s + (each or 0.0) * (self.size.value or 0.0), input_tokens)

    def first_s(self, input_tokens: int) -> float:
        """Seconds to the first token after an input of this size, as far as is known."""
        return (self.begins.value or 0.0) + self.per_input * max(input_tokens, 0)

    def line(self) -> tuple[float | None, float | None]:
        """(wait, seconds per output token) of the line on which answers lie: their mean, and the wait for the first.

        Both without the reading of the input. Where no first token was ever seen its wait is guessed; an answer of the
        usual size lies on the line however wrong that is. (None, None): nothing is known.
        """
        took, size, begins = self.lasts.value, self.size.value, self.begins.value
        if took is None:
            return begins, None
        if not size:
            return took, None
        wait = guessed_wait_s(took) if begins is None else begins if begins < took else took
        return wait, (took - wait) / size

    def waited_s(self, ttft_s: float | None, elapsed_s: float | None, output_tokens: int) -> float | None:
        """How long a call waited; of a reply that was not streamed: for all but the usual time of its writing."""
        if ttft_s is not None or elapsed_s is None:
            return ttft_s
        each_s = self.line()[1] or 0.0
        writing_s = output_tokens * (each_s if each_s < _WRITING_S else _WRITING_S) if output_tokens > 0 else 0.0
        return 0.0 if elapsed_s < writing_s else elapsed_s - writing_s

    def usual_silence_s(self, input_tokens: int, *, whole: bool) -> float | None:
        """95 % of the recent answers to an input of this size were heard of sooner; None = too few are known.

        Streams at their first content, `whole` replies at their end. Calls that were given up don't count.
        """
        found = None if whole else self._waits.p95_s()
        found = self._lengths.p95_s() if found is None else found
        return found + self.per_input * input_tokens if found is not None and input_tokens > 0 else found

    def ttft_p95_s(self) -> float | None:
        """The 95th percentile of the last 64 waits for a first token; None while fewer than 20 are known."""
        return self._firsts.p95_s()

    def service_s(self) -> float:
        """Seconds a call lasts on average; a guess of 1 s while nothing is known."""
        return self.took.value or self.ttft.value or 1.0

    @property
    def unknown(self) -> bool:
        """Whether neither a card nor a call has told how long calls last."""
        return not (self.took.value or self.ttft.value)

    def _read(self, seconds: float, tokens: int) -> None:
        """Learn what reading takes."""
        if tokens > 0 and seconds <= _LONGEST_S:
            if self._readings < _READINGS:
                self._readings += 1
            self._reading.take(tokens, seconds, 1.0 / self._readings)
            self.per_input = self._reading.slope(READING_S, _READING_WORTH / self._readings)

    def _unread(self, seconds: float, tokens: int) -> float:
        rest = seconds - self.per_input * tokens if tokens > 0 else seconds
        return rest if rest > 0.0 else 0.0

    def _first_token(self, seconds: float, tokens: int) -> float:
        """What of it is not for reading the input."""
        rest = self._unread(seconds, tokens)
        self.ttft.add(seconds)
        self.begins.add(rest)
        self._firsts.add(seconds)
        return rest

    def _lasted(self, seconds: float, tokens: int) -> float:
        """What of it is not for reading the input."""
        rest = self._unread(seconds, tokens)
        self.took.add(seconds)
        self.lasts.add(rest)
        return rest


def guessed_wait_s(took_s: float) -> float:
    """How much of an answer that took so long was the wait for its first token, if nothing is known of that."""
    return min(_WAIT_S, took_s / 2)


def _in_one_piece(ttft_s: float, elapsed_s: float | None, output_tokens: int) -> bool:
    """Whether a stream came faster than anything is written: it was written before its first token was sent."""
    return elapsed_s is not None and output_tokens >= _TEXT and elapsed_s - ttft_s < output_tokens * _AT_ONCE_S
