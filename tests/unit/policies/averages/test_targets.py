"""Averages that are kept: what a request costs and takes, over the last 300 of made-up traffic with seeds."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from unit.policies.workloads import (
    MODELS,
    Workload,
    alone,
    equal,
    fast_is_dear,
    grows,
    half_more,
    mixed,
    one_dark,
    row,
    run,
    shrinks,
)  # fmt: skip

from capability_router.policies.averages.average_target import AverageTarget
from capability_router.policies.base import EligibleModel

SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", [0.0005, 0.003])
@pytest.mark.parametrize("workload", [equal, mixed, one_dark, shrinks])
def test_a_cost_target_is_met(workload: Workload, target: float, seed: int) -> None:
    assert run(workload, seed, cost_target_usd=target).mean("usd") == pytest.approx(target, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", [0.002, 0.005])
def test_what_calls_come_to_counts_and_not_what_was_foreseen(target: float, seed: int) -> None:
    assert run(mixed, seed, real=half_more, cost_target_usd=target).mean("usd") == pytest.approx(target, rel=0.06)


@pytest.mark.parametrize("seed", SEEDS)
def test_traffic_that_grows_dearer_is_followed(seed: int) -> None:
    assert run(grows, seed, cost_target_usd=0.003).mean("usd") == pytest.approx(0.003, rel=0.05)
    assert run(grows, seed, latency_target_s=1.5).mean("seconds") == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", [0.5, 0.8, 1.2])
@pytest.mark.parametrize("workload", [equal, mixed])
def test_a_latency_target_is_met(workload: Workload, target: float, seed: int) -> None:
    done = run(workload, seed, latency_target_s=target, cost_weight=0)
    assert done.mean("seconds") == pytest.approx(target, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_below_the_cheapest_everything_goes_to_the_cheapest_and_it_says_so(seed: int) -> None:
    done = run(mixed, seed, 400, cost_target_usd=1e-6)
    assert all(t.usd == pytest.approx(t.cheapest, rel=1e-6) for t in done.took)
    told = done.policy.reason(done.last, done.last.rows[0])
    assert "the cheapest, as no choice keeps $0.00000100 per request: $0.000" in told
    fast = run(fast_is_dear, seed, 400, latency_target_s=0.01)
    assert all(t.seconds == t.fastest for t in fast.took)
    assert "the fastest, as no choice keeps 0.01 s per request: 0.5" in fast.policy.reason(fast.last, fast.last.rows[4])


@pytest.mark.parametrize("seed", SEEDS)
def test_above_the_best_everything_goes_to_the_best(seed: int) -> None:
    done = run(mixed, seed, 400, cost_target_usd=1e3, latency_weight=0)
    best = [max(r.quality for r in rows) for rows in _same(mixed, seed, 400)]
    assert [t.quality for t in done.took] == pytest.approx(best, abs=0.001)
    assert "the best are within $1,000 per request: now $0.0" in done.policy.reason(done.last, done.last.rows[4])


def _same(workload: Workload, seed: int, count: int) -> list[list[EligibleModel]]:
    rng = random.Random(seed)
    return [workload(rng, at) for at in range(count)]


def test_where_quality_is_equal_nobody_is_dearer_or_slower_for_nothing() -> None:
    def same(_: random.Random, __: int) -> list[EligibleModel]:
        return [row(n, 0.8, 1e-4 * 4 ** (MODELS - n), 0.5) for n in range(MODELS)]

    assert {t.model for t in run(same, 1, 100, cost_target_usd=1.0, latency_target_s=9).took} == {"m4"}


def test_where_quality_and_cost_are_equal_nobody_is_slower_for_nothing() -> None:
    def same(_: random.Random, __: int) -> list[EligibleModel]:
        return [row(n, 0.8, 1e-4, 0.5 * (MODELS - n)) for n in range(MODELS)]

    assert {t.model for t in run(same, 1, 100, latency_target_s=9, cost_weight=0).took} == {"m4"}


def test_what_another_price_leaves_over_is_not_saved_up() -> None:
    """The usual price of quality was the higher one: that less was spent is no reason to spend more."""
    points = [(usd, quality, usd) for usd, quality in ((0.0001, 0.5), (0.001, 0.7), (0.01, 0.9))]
    thrifty, saved = AverageTarget(), AverageTarget()
    for _ in range(300):
        thrifty.took(0.001, points, 0.0001, slack=True)
        saved.took(0.001, points, 0.0001)
    corner = 0.2 / 0.0009
    assert thrifty.price(0.001, lambda: points).value == pytest.approx(corner, rel=1e-6)
    assert saved.price(0.001, lambda: points).value < corner / 10


def test_failed_requests_save_nothing_up() -> None:
    points = [(usd, quality, usd) for usd, quality in ((0.0001, 0.5), (0.001, 0.7), (0.01, 0.9))]
    target = AverageTarget()
    for _ in range(300):
        target.took(0.001, points, 0.001)
        target.settled(0.001, 0.0, telling=False)
    price = target.price(0.001, lambda: points)
    assert price.value == pytest.approx(0.2 / 0.0009, rel=1e-6)
    assert price.now == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("wanted", [0.00001, 0.0005, 0.003, 0.02])
def test_a_cold_target_is_the_same_where_amounts_are_told_apart(wanted: float) -> None:
    points = [(usd, quality, usd) for usd, quality in ((0.0001, 0.5), (0.001, 0.7), (0.01, 0.9))]
    target = AverageTarget()
    for _ in range(9):
        told = target.price(wanted, lambda: points, lambda: [usd for usd, _, _ in points])
        assert told == target.price(wanted, lambda: points)
        target.took(wanted, points, 0.001)


def test_without_a_choice_that_comes_to_the_target_no_points_are_made() -> None:
    def points() -> list[tuple[float, float, float]]:
        raise AssertionError("points were made")

    price = AverageTarget().price(0.02, points, lambda: [0.0001, 0.01])
    assert (price.value, price.least) == (0.0, 0.0001)


def test_one_model_is_asked_whatever_the_target() -> None:
    done = run(alone, 1, 100, cost_target_usd=1e-6, latency_target_s=0.01)
    assert {t.model for t in done.took} == {"m2"}


def test_without_any_price_there_is_nothing_to_keep() -> None:
    def dark(rng: random.Random, at: int) -> list[EligibleModel]:
        return [row(n, r.quality, None, r.latency_s) for n, r in enumerate(mixed(rng, at))]

    rng = random.Random(1)
    policy = run(mixed, 1, 1, cost_target_usd=0.001).policy
    scene = replace(run(mixed, 1, 1).last, rows=dark(rng, 0))
    policy.observe(scene)
    assert "cost_target_usd" not in dict(policy.judge(scene).settings)


@pytest.mark.parametrize("workload", [mixed, fast_is_dear])
@pytest.mark.parametrize("seed", SEEDS)
def test_both_targets_are_kept_where_they_can_be(workload: Workload, seed: int) -> None:
    done = run(workload, seed, 1_500, cost_target_usd=0.003, latency_target_s=1.2)
    assert done.mean("usd") < 0.003 * 1.06
    assert done.mean("seconds") < 1.2 * 1.06
    one = run(workload, seed, 1_500, cost_target_usd=0.003, latency_weight=0)
    assert done.mean("quality") > one.mean("quality") - 0.06


@pytest.mark.parametrize("seed", SEEDS)
def test_two_targets_that_exclude_each_other_are_missed_alike(seed: int) -> None:
    done = run(fast_is_dear, seed, 1_500, cost_target_usd=0.001, latency_target_s=0.8)
    over = done.mean("usd") / 0.001, done.mean("seconds") / 0.8
    assert min(over) > 1.0
    assert max(over) < 2.0


@pytest.mark.parametrize("seed", SEEDS)
def test_latency_goes_before_quality_and_either_is_kept_where_both_can_be(seed: int) -> None:
    able = run(mixed, seed, 1_500, quality_target=0.75, latency_target_s=1.5)
    assert able.mean("quality") == pytest.approx(0.75, abs=0.015)
    assert able.mean("seconds") < 1.5 * 1.05
    unable = run(mixed, seed, 1_500, quality_target=0.8, latency_target_s=0.6)
    assert unable.mean("seconds") == pytest.approx(0.6, rel=0.06)
    assert unable.mean("quality") < 0.75
    slack = run(fast_is_dear, seed, 1_500, quality_target=0.55, latency_target_s=1.0)
    assert slack.mean("seconds") < 1.06
    assert slack.mean("quality") > 0.55
    settings = dict(slack.policy.judge(slack.last).settings)
    assert settings["price_of_quality"] < 1e5, "the two weights don't chase each other"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_higher_target_never_buys_less_quality(seed: int) -> None:
    by_cost = [run(mixed, seed, 900, cost_target_usd=usd).mean("quality", 600) for usd in (3e-4, 1e-3, 3e-3, 1e-2)]
    assert by_cost == sorted(by_cost)
    by_time = [run(mixed, seed, 900, latency_target_s=s, cost_weight=0).mean("quality", 600) for s in (0.4, 0.8, 1.2)]
    assert by_time == sorted(by_time)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", [0.001, 0.003, 0.01])
def test_no_fixed_price_in_hindsight_buys_much_more_quality(target: float, seed: int) -> None:
    requests = _same(mixed, seed, 1_200)[-300:]

    def fixed(price: float) -> tuple[float, float]:
        picks = [max(rows, key=lambda r: r.quality - price * (r.cost_pico or 0) / 1e12) for rows in requests]
        return sum(p.quality for p in picks) / 300, sum(p.cost_pico or 0 for p in picks) / 3e14

    done = run(mixed, seed, cost_target_usd=target, latency_weight=0)
    within = [quality for n in range(200) if (found := fixed(10 ** (n / 25 - 2)))[1] <= target for quality in found[:1]]
    assert done.mean("quality") > max(within) - 0.01


def test_a_target_that_could_not_be_met_is_no_debt_later() -> None:
    """Nor are savings from easy times spent at once: the hundred requests after the change are within half of it."""

    def eased(rng: random.Random, at: int) -> list[EligibleModel]:
        more = 20.0 if at < 600 else 1.0
        return [row(n, r.quality, (r.cost_pico or 0) * more / 1e12, r.latency_s) for n, r in enumerate(mixed(rng, at))]

    done = run(eased, 1, cost_target_usd=0.001)
    assert done.mean("usd", 300) == pytest.approx(0.001, rel=0.06)
    dear = run(grows, 1, 800, cost_target_usd=0.003)
    assert dear.mean("usd", 100) < 0.003 * 1.5
