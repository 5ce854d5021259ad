"""Steady traffic for the figures with one fault at a time: Poisson arrivals, requests of moderate size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from capability_router.request import Request

from .virtual_fleet import VirtualProvider, WeatherPeriod
from .virtual_time import ArrivingRequest

PRICE = (1_000_000, 2_000_000)


def steady(seed: int, requests: int, per_s: float, *, streamed: float = 0.5) -> Iterator[ArrivingRequest]:
    """So many requests, `per_s` on average; the share `streamed` of them as streams."""
    chance, at = Random(seed), 0.0
    for n in range(requests):
        at += chance.expovariate(per_s)
        request = Request(
            ("What is the capital of France?",), input_tokens=200, max_tokens=100, stream=chance.random() < streamed,
            id=f"{seed}-{n}",
        )  # fmt: skip
        yield ArrivingRequest(at, request, 60)


def four(*spells: Sequence[tuple[float, str]]) -> list[VirtualProvider]:
    """Four equal targets; those without spells of their own have fair weather throughout."""
    plans = [*spells, *([[(0.0, "fair")]] * (4 - len(spells)))]
    return [
        VirtualProvider(f"m{i}", [WeatherPeriod(*spell) for spell in plan], PRICE, tells_early=bool(i % 2))
        for i, plan in enumerate(plans)
    ]  # fmt: skip
