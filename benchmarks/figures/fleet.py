"""Figures 1 to 3: nothing lost, exact books, budgets that hold: many seeds, every kind of weather at once.

Each seed has its own fleet, weather, policy, clocks, limits, budgets and requests, some of them given up by
their callers. Simulated are the providers and the time; routing, machine, health and money are the core's own.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from multiprocessing import get_context
from random import Random
from typing import Any

from capability_router.request import Request
from capability_router.routing import Routing

from .figure_result import FigureResult, save_regression, scaled
from .ground.virtual_fleet import LEAST_OUT, NEEDS_OPERATOR, WEATHERS, VirtualProvider, WeatherPeriod
from .ground.virtual_time import ArrivingRequest, Simulation

SEEDS, REQUESTS, MOST_S = 1_000, 1_000, 90
A_FEW = 20  # seeds that are not worth a process for each core
POLICIES = ("single", "cheapest", "fastest", "weighted", "adaptive")
TENANTS = ("acme", "umbrella", "")
PROMPTS = ("What is the capital of France?", "Summarise the key points of this report in three sentences.",
           "Write a python function that parses a date, and explain why it fails on leap seconds.")  # fmt: skip
BAD = [name for name in WEATHERS if name != "fair"]


def simulated(seed: int, requests: int, **further: Any) -> Simulation:
    """Carry out one seed and check it; raises AssertionError for a broken promise. `further`: the router's settings."""
    chance = Random(seed)
    rate = chance.choice((2.0, 10.0, 40.0))
    providers = [_provider(f"m{i}", chance, requests / rate) for i in range(chance.randint(2, 5))]
    sim = Simulation(providers, seed, **_settings(seed, chance), **further)
    for provider in providers:
        _operated(sim, provider)
    sim.run(_asks(seed, chance, requests, rate))
    sim.witness.at_rest(providers)
    return sim


def _provider(name: str, chance: Random, length_s: float) -> VirtualProvider:
    spells, at = [], 0.0
    while not spells or at < length_s:
        weather = "fair" if chance.random() < 0.6 else chance.choice(BAD)
        spells.append(WeatherPeriod(at, weather))
        at += chance.expovariate(1 / 12.0)
    price = (chance.randint(1, 20) * 100_000, chance.randint(1, 60) * 100_000)
    early, most = chance.random() < 0.5, chance.choice((1 << 30, 1 << 30, 20))
    return VirtualProvider(name, spells, price, tells_early=early, most=most)


def _operated(sim: Simulation, provider: VirtualProvider) -> None:
    """Somebody resets a target when what only a person can mend has been mended."""
    for spell, after in zip(provider.spells, provider.spells[1:], strict=False):
        if spell.weather in NEEDS_OPERATOR:
            sim.call(after.since, lambda: sim.router.board.reset(provider.name, sim.clock.now()))


def _settings(seed: int, chance: Random) -> dict[str, Any]:
    clocks = chance.choice(({}, {"first_token": 2.0, "between_tokens": 1.0}, {"total": 6.0}))
    cap = {"scope": "tenant:acme", "limit_usd": 0.2, "window": "minute"}
    caps = [{**cap, "on_exceed": chance.choice(("refuse", "degrade"))}]
    backoff = {"random_exponential": {"multiplier": 0.5, "max": 8}}
    return {
        "policy": {"name": chance.choice(POLICIES), "seed": seed},
        "timeouts": clocks,
        "deadline_s": chance.choice((5.0, 20.0)),
        "hedge": {"on": chance.random() < 0.4, "after_s": chance.choice((None, 1.0))},
        "budgets": caps if chance.random() < 0.4 else [],
        "limits": chance.choice(({}, {}, {"concurrency": 20}, {"rpm": 600})),
        "retry": {"wait": backoff, "max_wait_s": chance.choice((2.0, 30.0))},
        "on_content_filter": chance.choice(("return", "fallback")),
    }  # fmt: skip


def _asks(seed: int, chance: Random, requests: int, rate: float) -> Iterator[ArrivingRequest]:
    terms = [Routing(tenant=tenant) for tenant in TENANTS] + [Routing(deadline_s=1.5)]
    at, draw = 0.0, chance.random
    for n in range(requests):
        at += chance.expovariate(rate)
        most = 20 + int(draw() * 500)
        request = Request(
            (PROMPTS[int(draw() * 3)],), input_tokens=10 + int(draw() * 3_000), max_tokens=most, stream=draw() < 0.5,
            routing=terms[int(draw() * 4)], id=f"{seed}-{n}",
        )  # fmt: skip
        out = LEAST_OUT + int(draw() * (most - LEAST_OUT))
        yield ArrivingRequest(at, request, out, draw() * 2 if draw() < 0.02 else None)


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    seeds = range(seed, seed + scaled(SEEDS, scale))
    seen: Counter[str] = Counter()
    bad: list[str] = []
    began, worked = time.monotonic(), 0.0
    for each, (counts, broken, cpu_s) in zip(seeds, _each(seeds), strict=True):
        seen.update(counts)
        worked += cpu_s
        if broken:
            bad.append(f"seed {each}: {broken}")
            save_regression({"figure": "fleet", "seed": each, "requests": REQUESTS})
    took = time.monotonic() - began
    told = f"{seeds.start}-{seeds.stop - 1}"
    yield FigureResult(
        "nothing lost", "; ".join(bad) or f"{seen['asked']:,} requests, each ended once ({_told(seen)})",
        "each of 1,000,000 ends exactly once, over 1,000 seeds", not bad, told,
    )  # fmt: skip
    yield FigureResult(
        "exact books",
        f"{seen['launches']:,} calls booked once each, 0 picodollars beside the bills of those that told their usage "
        f"({seen['untold']:,} could not), 0 reserved at rest",
        "0 picodollars", not bad, told,
    )  # fmt: skip
    yield FigureResult(
        "hard budgets", f"0 of {seen['capped']:,} launches under a cap went above it", "overshoot 0",
        not bad and (seen["capped"] > 0 or scale < 0.01), told,
    )  # fmt: skip
    each_us = worked / max(seen["asked"], 1) * 1e6
    most_s = MOST_S * len(seeds) / SEEDS
    yield FigureResult(
        "speed of the simulation",
        f"{took:.0f} s on {_cores(len(seeds))} cores, {each_us:.0f} us of processor time per request",
        f"<= {MOST_S} s for 1,000,000 requests", took <= most_s, told,
    )  # fmt: skip


def _each(seeds: Sequence[int]) -> Iterator[tuple[dict[str, int], str, float]]:
    """Each seed's counts, what it broke, and its seconds of processor time; seeds know nothing of each other."""
    if (cores := _cores(len(seeds))) == 1:
        yield from map(_one, seeds)
        return
    with get_context("spawn").Pool(cores, _begin) as pool:
        yield from pool.imap(_one, seeds, chunksize=4)


def _begin() -> None:
    """What a process has imported isn't looked through for garbage again and again; what its seeds make, is.

    Imported by the first router, the settings would draw from `random` after its seed was set: a process's first seed
    would come out otherwise than as a later one.
    """
    import_module("capability_router.config")
    gc.freeze()


def _cores(seeds: int) -> int:
    return 1 if seeds < A_FEW else os.cpu_count() or 1


def _one(seed: int) -> tuple[dict[str, int], str, float]:
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    began = time.process_time()
    try:
        counts, broken = _counts(simulated(seed, REQUESTS)), ""
    except AssertionError as error:
        counts, broken = {}, str(error) or repr(error)
    return counts, broken, time.process_time() - began


def _told(seen: Counter[str]) -> str:
    names = ("answered", "failed", "interrupted", "cancelled", "refused", "hedges")
    return ", ".join(f"{seen[name]:,} {name}" for name in names)


def _counts(sim: Simulation) -> dict[str, int]:
    names = ("asked", "answered", "failed", "interrupted", "cancelled", "refused", "launches", "hedges")
    capped = sim.witness.launches if sim.router.budgets else 0
    untold = sum(provider.untold for provider in sim.providers.values())
    return {"capped": capped, "untold": untold, **{name: getattr(sim.witness, name) for name in names}}
