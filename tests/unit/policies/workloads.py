"""Made-up traffic for targets: what each of five models would be worth, cost and take, request by request."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from capability_router import ModelCard, Request
from capability_router.features import Features
from capability_router.plan import Candidate
from capability_router.policies.adaptive import Adaptive
from capability_router.policies.base import EligibleModel, PolicyContext
from capability_router.request import Outcome, Usage

MODELS = 5
CARDS = [ModelCard(id=f"m{n}", provider="p", model=f"m{n}") for n in range(MODELS)]
_REQUEST, _FEATURES = Request(("x",), id="x"), Features(10, 10, "chat", 0.0)
Workload = Callable[[random.Random, int], list[EligibleModel]]


def row(n: int, quality: float, usd: float | None, seconds: float | None) -> EligibleModel:
    return EligibleModel(CARDS[n], quality, None if usd is None else int(usd * 1e12), seconds, 0.0, 0, "")


def equal(_: random.Random, __: int) -> list[EligibleModel]:
    return [row(n, 0.5 + 0.1 * n, 1e-4 * 4**n, 0.3 * 1.8**n) for n in range(MODELS)]


def mixed(rng: random.Random, _: int) -> list[EligibleModel]:
    """Sizes with a long tail; what is hard is so for weak models first; dearer is slower."""
    size, hard = rng.lognormvariate(0, 1), rng.random() - 0.5
    rows = []
    for n in range(MODELS):
        quality = 0.5 + 0.1 * n + hard * (0.09 * n - 0.4) + rng.gauss(0, 0.05)
        rows.append(row(n, min(max(quality, 0.01), 0.99), 1e-4 * size * 4**n, 0.3 * 1.8**n * (0.5 + rng.random())))
    return rows


def fast_is_dear(rng: random.Random, at: int) -> list[EligibleModel]:
    rows = mixed(rng, at)
    seconds = [3 / (1 + n) * (0.5 + rng.random()) for n in range(MODELS)]
    return [row(n, r.quality, r.cost_pico / 1e12, seconds[n]) for n, r in enumerate(rows)]  # type: ignore[operator]  # all have prices


def grows(rng: random.Random, at: int) -> list[EligibleModel]:
    """From the 600th request on everything costs five times and takes twice as much."""
    more, longer = (5, 2) if at >= 600 else (1, 1)
    return [row(n, r.quality, r.cost_pico * more / 1e12, r.latency_s * longer) for n, r in enumerate(mixed(rng, at))]  # type: ignore[operator]  # all are known


def shrinks(rng: random.Random, at: int) -> list[EligibleModel]:
    """To a fifth of the cost."""
    more = 0.2 if at >= 600 else 1.0
    return [row(n, r.quality, r.cost_pico * more / 1e12, r.latency_s) for n, r in enumerate(mixed(rng, at))]  # type: ignore[operator]  # all have prices


def one_dark(rng: random.Random, at: int) -> list[EligibleModel]:
    """A model whose price and speed nobody knows."""
    rows = mixed(rng, at)
    return [*rows[:3], row(3, rows[3].quality, None, None), rows[4]]


def alone(rng: random.Random, at: int) -> list[EligibleModel]:
    return mixed(rng, at)[2:3]


def as_predicted(_: random.Random, predicted: float) -> float:
    return predicted


def half_more(rng: random.Random, predicted: float) -> float:
    """By half more than was foreseen, and never quite the same."""
    return predicted * 1.5 * rng.lognormvariate(-0.125, 0.5)


class Took(NamedTuple):
    model: str
    quality: float
    usd: float | None
    seconds: float | None
    cheapest: float
    fastest: float


@dataclass
class Ran:
    policy: Adaptive
    took: list[Took]
    last: PolicyContext

    def mean(self, name: str, count: int = 300) -> float:
        """Of the last requests of which it is known."""
        known = [value for t in self.took[-count:] if (value := getattr(t, name)) is not None]
        return sum(known) / len(known)


def run(
    workload: Workload, seed: int, count: int = 1_200, real: Callable[[random.Random, float], float] = as_predicted,
    **targets: Any,
) -> Ran:  # fmt: skip
    """Requests one after the other; what they come to is drawn apart, so that all policies see the same requests."""
    rng, chance = random.Random(seed), random.Random(seed + 1)
    policy, took, scene = Adaptive(**targets), [], PolicyContext(_REQUEST, _FEATURES, [])
    for at in range(count):
        rows = workload(rng, at)
        scene = PolicyContext(_REQUEST, _FEATURES, rows)
        scores = policy.judge(scene).scores
        best = rows[scores.index(max(scores))]
        policy.observe(scene, best.card.id)
        took.append(_end(policy, best, rows, real, chance))
    return Ran(policy, took, scene)


def _end(
    policy: Adaptive,
    best: EligibleModel,
    rows: list[EligibleModel],
    real: Callable[[random.Random, float], float],
    chance: random.Random,
) -> Took:
    usd = None if best.cost_pico is None else real(chance, best.cost_pico / 1e12)
    seconds = 1.0 if best.latency_s is None else real(chance, best.latency_s)
    pico = None if usd is None else round(usd * 1e12)
    candidate = Candidate(
        best.card.id, "p", "m", 0.0, best.quality, best.cost_pico, best.latency_s, best.queue_s, (), "", None
    )
    policy.settled(candidate, Outcome("x", best.card.id, "p", (), "", "adaptive", pico, seconds, None, Usage(1, 1)))
    cheapest = min(r.cost_pico for r in rows if r.cost_pico is not None) / 1e12
    fastest = min(r.latency_s for r in rows if r.latency_s is not None)
    return Took(best.card.id, best.quality, usd, seconds, cheapest, fastest)
