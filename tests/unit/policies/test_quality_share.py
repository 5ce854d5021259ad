"""A share of the best models' quality is kept, whether requests are easy or hard, at a price that stays."""

from __future__ import annotations

import random
from typing import Any

import pytest
from unit.policies.workloads import mixed, row, run

from capability_router import Price, Request, routing
from capability_router.errors import ConfigError
from capability_router.policies.base import EligibleModel
from capability_router.testing import scripted_router

TURN, COUNT, SETTLED = 1_400, 2_800, 1_000
CARDS: dict[str, dict[str, Any]] = {
    "weak": {"price": Price(0.1, 0.1), "quality": {"default": 0.5}},
    "strong": {"price": Price(10, 10), "quality": {"default": 0.9}},
}


def turns(rng: random.Random, at: int) -> list[EligibleModel]:
    """Easy requests, and from a moment on hard ones: all models are worse by the same."""
    shift = 0.05 if at < TURN else -0.05
    return [row(n, r.quality + shift, (r.cost_pico or 0) / 1e12, r.latency_s) for n, r in enumerate(mixed(rng, at))]


def bests(seed: int) -> list[float]:
    rng = random.Random(seed)
    return [max(r.quality for r in turns(rng, at)) for at in range(COUNT)]


def spent(seed: int, **target: float) -> tuple[float, float]:
    """USD per request while they are easy and while they are hard, once prices have settled."""
    took = [t.usd or 0.0 for t in run(turns, seed, COUNT, latency_weight=0, **target).took]
    return sum(took[SETTLED:TURN]) / (TURN - SETTLED), sum(took[-400:]) / 400


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("share", [0.85, 0.9, 0.96])
def test_the_share_is_kept_on_average(share: float, seed: int) -> None:
    took = run(turns, seed, COUNT, latency_weight=0, quality_share=share).took
    kept = sum(t.quality for t in took[SETTLED:]) / sum(bests(seed)[SETTLED:])
    assert kept == pytest.approx(share, abs=0.008)


@pytest.mark.parametrize("seed", [1, 2])
def test_hard_requests_are_not_bought_dearer_than_easy_ones(seed: int) -> None:
    """Beside a level they are, for then it has to be made up for that all models are worse."""
    easy, hard = spent(seed, quality_share=0.9)
    assert hard == pytest.approx(easy, rel=0.35)
    level = 0.9 * sum(bests(seed)) / COUNT
    easier, harder = spent(seed, quality_target=level)
    assert harder > 2.0 * easier
    assert hard + easy < 0.9 * (harder + easier), "and so the same quality costs less"


def test_the_plan_tells_it_and_a_request_s_own_target_goes_first() -> None:
    made = scripted_router({n: ["ok"] for n in CARDS}, cards=CARDS, policy={"name": "adaptive", "quality_share": 0.5})
    plan = made.explain(Request(("hello",)))
    assert plan.chosen is not None
    assert plan.chosen.id == "weak", "it has 0.56 of the strong one's"
    assert dict(plan.settings)["quality_share"] == 0.5
    with routing(quality_target=0.95):
        own = made.explain(Request(("hello",)))
    assert own.chosen is not None
    assert own.chosen.id == "strong"
    assert "quality_share" not in dict(own.settings)


@pytest.mark.parametrize("other", [{"quality_target": 0.8}, {"cost_target_usd": 0.01}, {"budget_pacing": True}])
def test_one_thing_sets_the_price_of_quality(other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"which both set the price of quality.*keep one"):
        scripted_router({n: ["ok"] for n in CARDS}, cards=CARDS, policy={"quality_share": 0.9, **other})
