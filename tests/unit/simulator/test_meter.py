from __future__ import annotations

import asyncio

import pytest

from capability_router.clock import ManualClock
from capability_router.simulator import SimulatedModel
from capability_router.simulator.http.error_reply import HttpErrorReply
from capability_router.simulator.meter import ConcurrencySlots, PromptCache, RateMeter
from capability_router.simulator.prompt import Prompt, parse_prompt


def test_requests_per_minute() -> None:
    clock = ManualClock()
    meter = RateMeter(SimulatedModel("m", rpm=2), clock)
    meter.admit(10)
    assert meter.headers() == {
        "x-ratelimit-limit-requests": "2", "x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "30s",
    }  # fmt: skip
    meter.admit(10)
    with pytest.raises(HttpErrorReply) as refused:
        meter.admit(10)
    assert refused.value.status == 429
    assert refused.value.code == "rate_limit_exceeded"
    assert refused.value.headers["retry-after"] == "30"
    clock.advance(30)
    meter.admit(10)


def test_tokens_per_minute_count_input_and_output() -> None:
    clock = ManualClock()
    meter = RateMeter(SimulatedModel("m", tpm=600), clock)
    meter.admit(100)
    meter.spend(560)
    assert meter.headers()["x-ratelimit-remaining-tokens"] == "0"
    with pytest.raises(HttpErrorReply) as refused:
        meter.admit(10)
    assert refused.value.headers["retry-after-ms"] == "7000"
    clock.advance(7)
    meter.admit(10)


def test_a_request_larger_than_the_limit_waits_for_a_full_bucket_not_for_ever() -> None:
    clock = ManualClock()
    meter = RateMeter(SimulatedModel("m", tpm=100), clock)
    meter.admit(500)
    with pytest.raises(HttpErrorReply) as refused:
        meter.admit(500)
    assert refused.value.headers["retry-after"] == "300"


def test_without_limits_there_are_no_headers() -> None:
    assert RateMeter(SimulatedModel("m"), ManualClock()).headers() == {}


async def test_seats_queue_and_overflow() -> None:
    seats = ConcurrencySlots(SimulatedModel("m", concurrency=1, queue=1))
    order: list[str] = []

    async def sit(name: str) -> None:
        async with seats:
            order.append(name)
            await asyncio.sleep(0)

    async with seats:
        waiting = asyncio.ensure_future(sit("second"))
        await asyncio.sleep(0)
        with pytest.raises(HttpErrorReply) as refused:
            await sit("third")
        assert refused.value.status == 503
        assert order == []
    await waiting
    await sit("fourth")
    assert order == ["second", "fourth"]


def prompt(*texts: str) -> Prompt:
    return parse_prompt({"model": "m", "messages": [{"role": "user", "content": t} for t in texts]})


def test_prompt_cache_counts_known_prefixes() -> None:
    cache = PromptCache(SimulatedModel("m", prompt_cache=True, cache_min_tokens=256))
    long = "x" * 1_200  # 304 tokens with the message's own four
    assert cache.cached_tokens(prompt(long, "a")) == 0
    assert cache.cached_tokens(prompt(long, "b")) == 256
    assert cache.cached_tokens(prompt("other", long)) == 0
    assert cache.cached_tokens(prompt("short")) == 0
    assert cache.cached_tokens(prompt("short")) == 0
    off = PromptCache(SimulatedModel("m"))
    assert [off.cached_tokens(prompt(long)) for _ in range(2)] == [0, 0]
