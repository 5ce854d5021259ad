"""The product's factories before the evaluators, which see predictions and outcomes alone.

On made-up traffic always; on recorded outcomes of real models where they are (`ROUTING_SHARED`, else ../shared).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from unit.learning.quality.world import CHANCE, MODELS, World

ROOT = Path(__file__).parents[4]
SHARED = Path(os.environ.get("ROUTING_SHARED", ROOT.parent / "shared"))
NEEDS_DATA = pytest.mark.skipif(
    not (SHARED / "data" / "routing").is_dir(), reason=f"NOT MEASURED: no recorded outcomes in {SHARED}/data/routing"
)
NEEDS_EVALUATORS = pytest.mark.skipif(
    not (SHARED / "eval").is_dir(), reason=f"NOT MEASURED: no evaluators in {SHARED}/eval"
)
USD = {"lawyer": 4e-3, "coder": 2e-3, "cheap": 1e-4}


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return import_module("benchmarks.quality")


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SHARED / "eval"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return import_module("routing_quality")


def rows(size: int, seed: int) -> list[dict[str, Any]]:
    world = World(seed)
    return [row(world, number) for number in range(size)]


def row(world: World, number: int) -> dict[str, Any]:
    kind = world.kind()
    results = {model: world.result(kind, model) for model in MODELS}
    outcomes = {
        model: {
            "score": r.score,
            "input_tokens": 20,
            "output_tokens": r.tokens,
            "cost_usd": USD[model] * (r.tokens or 0),
        }
        for model, r in results.items()
    }
    return {"id": f"{number}", "prompt": world.prompt(kind), "outcomes": outcomes}


def test_the_dear_model_is_asked_where_it_is_worth_it(factories: ModuleType) -> None:
    router, new = factories.predictor(rows(700, 1)), rows(300, 2)
    prompts = [r["prompt"] for r in new]
    found, costs = router.predict(prompts), router.predict_cost(prompts)
    price = 0.05
    picks = [max(MODELS, key=lambda m: q[m] - price * c[m]) for q, c in zip(found, costs, strict=True)]

    def reward(each: dict[str, Any], model: str) -> float:
        outcome = each["outcomes"][model]
        return float(outcome["score"] - price * outcome["cost_usd"])

    got = np.mean([reward(r, m) for r, m in zip(new, picks, strict=True)])
    fixed = max(np.mean([reward(r, m) for r in new]) for m in MODELS)
    best = np.mean([max(chance.values()) for chance in CHANCE.values()])
    assert got > fixed + 0.05
    assert got < best + 0.05
    for model in MODELS:
        true = [r["outcomes"][model]["cost_usd"] for r in new]
        assert np.mean([c[model] for c in costs]) == pytest.approx(np.mean(true), rel=0.1)


def test_cold_start_takes_names_and_costs_and_no_score(factories: ModuleType) -> None:
    known = rows(20, 1)
    other = [{**r, "outcomes": {m: {**o, "score": 1.0 - o["score"]} for m, o in r["outcomes"].items()}} for r in known]
    prompts = ["hi", "Prove that there is no largest prime, and explain each step. " * 5]
    first, second = (factories.cold_start(each).predict(prompts) for each in (known, other))
    assert first == second
    easy, hard = (dict(each.items()) for each in first)
    assert hard["lawyer"] - hard["cheap"] > easy["lawyer"] - easy["cheap"] > 0


def test_the_online_policy_finds_the_trades_from_what_it_chose_alone(factories: ModuleType) -> None:
    world = World(3)
    policy = factories.policy(list(MODELS), dict.fromkeys(MODELS, 0.001), 0.0)
    scores = []
    for number in range(600):
        each = row(world, number)
        model = policy.choose(each["prompt"])
        scores.append(each["outcomes"][model]["score"])
        policy.update(each["prompt"], model, scores[-1], 1e-3)
    best_fixed = max(np.mean([chance[m] for chance in CHANCE.values()]) for m in MODELS)
    assert np.mean(scores[-200:]) > best_fixed + 0.02


@NEEDS_EVALUATORS
def test_made_up_traffic_by_the_evaluators(factories: ModuleType, judge: ModuleType) -> None:
    train, table = rows(700, 1), judge.table(rows(300, 2))
    router = factories.predictor(train)
    quality, cost = (judge.as_matrix(f(table.prompts), table) for f in (router.predict, router.predict_cost))
    found = judge.evaluate(quality, cost, table)
    assert found["gapO"] > 0.15
    assert found["perf+"] > 0.05
    assert found["ece"] < 0.06


@NEEDS_EVALUATORS
@NEEDS_DATA
def test_recorded_outcomes_by_the_evaluators(factories: ModuleType, judge: ModuleType) -> None:
    known = judge.read_rows(SHARED / "data" / "routing" / "zeroeval.train.jsonl.gz")
    train, table = known[:1_200], judge.table(known[1_200:])
    router = factories.predictor(train)
    quality, cost = (judge.as_matrix(f(table.prompts), table) for f in (router.predict, router.predict_cost))
    found = judge.evaluate(quality, cost, table)
    assert found["gapO"] > 0.0
    assert found["ece"] < 0.05
