"""A simulated model's limits: requests and tokens per minute, concurrency; and its prompt cache."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from capability_router.clock import Clock
from capability_router.simulator.http.error_reply import rate_limited, server_failed
from capability_router.simulator.profile import SimulatedModel
from capability_router.simulator.prompt import Prompt
from capability_router.simulator.seeded_random import digest

_REMEMBERED = 4_096
_CACHE_STEP = 128


class _Bucket:
    """A token bucket with the limit of a minute. It may go below zero, because output is charged afterwards."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self.limit = per_minute
        self._clock, self._level, self._at = clock, float(per_minute), clock.now()

    def level(self) -> float:
        now = self._clock.now()
        self._level = min(self.limit, self._level + (now - self._at) * self.limit / 60)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        self._level = self.level() - amount

    def wait_s(self, amount: float) -> float:
        """Seconds until this much is there (an amount above the limit waits for a full bucket)."""
        return max(min(amount, self.limit) - self.level(), 0.0) * 60 / self.limit


class RateMeter:
    """RPM and TPM of one model, with OpenAI's `x-ratelimit-*` headers.

    Input counts when a request is let in, output when it has been generated.
    """

    def __init__(self, profile: SimulatedModel, clock: Clock) -> None:
        limits = {"requests": profile.rpm, "tokens": profile.tpm}
        self._model = profile.name
        self._buckets = {what: _Bucket(limit, clock) for what, limit in limits.items() if limit}

    def admit(self, tokens: int) -> None:
        """Lets a request in and charges it, or raises Refusal 429 with the time to wait."""
        amounts = {"requests": 1, "tokens": tokens}
        for what, bucket in self._buckets.items():
            wait = bucket.wait_s(amounts[what])
            if wait > 0:
                raise rate_limited(self._model, what, bucket.limit, wait, self.headers())
        for what, bucket in self._buckets.items():
            bucket.take(amounts[what])

    def spend(self, tokens: int) -> None:
        """Charges generated tokens."""
        if "tokens" in self._buckets:
            self._buckets["tokens"].take(tokens)

    def headers(self) -> dict[str, str]:
        """x-ratelimit-limit-*, -remaining-* and -reset-* as they stand now."""
        found = {}
        for what, bucket in self._buckets.items():
            found[f"x-ratelimit-limit-{what}"] = str(bucket.limit)
            found[f"x-ratelimit-remaining-{what}"] = str(max(int(bucket.level()), 0))
            found[f"x-ratelimit-reset-{what}"] = _duration(bucket.wait_s(bucket.limit))
        return found


def _duration(seconds: float) -> str:
    """Seconds as OpenAI writes them: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.0f}s" if minutes else f"{rest:.3f}".rstrip("0").rstrip(".") + "s"


class ConcurrencySlots:
    """Places for `concurrency` requests at a time; the others queue, and beyond `queue` get a 503."""

    def __init__(self, profile: SimulatedModel) -> None:
        self._places = asyncio.Semaphore(profile.concurrency) if profile.concurrency else None
        self._queue, self._waiting = profile.queue, 0

    async def __aenter__(self) -> None:
        if self._places is None:
            return
        if self._places.locked() and self._queue is not None and self._waiting >= self._queue:
            raise server_failed(503, 1.0)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *exc: object) -> None:
        if self._places is not None:
            self._places.release()


class PromptCache:
    """Remembers message prefixes, as providers' prompt caches do."""

    def __init__(self, profile: SimulatedModel) -> None:
        self._on, self._least = profile.prompt_cache, profile.cache_min_tokens
        self._known: OrderedDict[str, None] = OrderedDict()

    def cached_tokens(self, prompt: Prompt) -> int:
        """Input tokens of the longest known prefix, in steps of 128; remembers this prompt's prefixes."""
        if not self._on:
            return 0
        chain, tokens, hit = digest(prompt.model, *prompt.tools), prompt.extra_tokens, 0
        for message in prompt.messages:
            chain, tokens = digest(chain, message.role, message.text), tokens + message.tokens
            hit = tokens if chain in self._known else hit
            self._known[chain] = None
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return hit // _CACHE_STEP * _CACHE_STEP if hit >= self._least else 0
