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
    train, table = rows(700, 1), judge.table(rows(2_000, 2))  # 300 are judged by chance: ece 0.02 to 0.065
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


def test_no_prompt_is_predicted_to_cost_less_than_nothing(factories: ModuleType) -> None:
    priced = {"cheap": 0.6e-6, "dear": 10e-6}

    def billed(words: int) -> dict[str, Any]:  # counted by a tokenizer that takes less of long prompts' first words
        counted = 1.3 * words - 60
        costs = {m: {"score": 1.0, "input_tokens": counted, "cost_usd": counted * usd} for m, usd in priced.items()}
        return {"id": f"{words}", "prompt": "word " * words, "outcomes": costs}

    short, long = factories.predictor([billed(words) for words in range(60, 160)]).predict_cost(["hi", "word " * 100])
    assert all(usd >= 0.0 for usd in short.values())
    assert short["dear"] >= short["cheap"]
    assert long["dear"] > long["cheap"] > 0.0


@pytest.mark.parametrize(("gap", "rows_with_it"), [(None, 1), (0, 1), (None, 20), (None, 99)])
def test_an_answer_without_a_token_count_does_not_make_its_model_dear(
    factories: ModuleType, gap: int | None, rows_with_it: int
) -> None:
    """The price of an answer would be taken for that of a token, or 0 tokens for a gap."""
    known, new = rows(100, 1), [r["prompt"] for r in rows(30, 2)]
    for number, each in enumerate(known):
        each["outcomes"]["cheap"]["input_tokens"] = 10 + number * 7 % 90
    whole = factories.predictor(known).predict_cost(new)
    for each in known[:rows_with_it]:
        outcome = each["outcomes"]["cheap"]
        outcome["output_tokens"] = gap
        outcome["cost_usd"] = 0.0 if gap == 0 else outcome["cost_usd"]
    gaps = factories.predictor(known).predict_cost(new)
    for model in MODELS:
        means = [np.mean([costs[model] for costs in found]) for found in (whole, gaps)]
        assert means[1] == pytest.approx(means[0], rel=0.15), model


def test_answers_without_a_cost_are_not_taken_for_free(factories: ModuleType) -> None:
    known, new = rows(100, 1), [r["prompt"] for r in rows(30, 2)]
    whole = factories.predictor(known).predict_cost(new)
    for each in known[:50]:
        each["outcomes"]["lawyer"]["cost_usd"] = None
    half = factories.predictor(known).predict_cost(new)
    assert half[0]["lawyer"] == pytest.approx(whole[0]["lawyer"], rel=0.01)


@pytest.mark.parametrize("score", [5.0, -1.0, 100, "good"])
def test_scores_of_another_scale_are_refused(factories: ModuleType, score: Any) -> None:
    known = rows(20, 1)
    known[3]["outcomes"]["coder"]["score"] = score
    told = rf"coder has the score {score!r}, which is no number from 0 to 1\. Map every score to 0 to 1: \+1 and -1"
    with pytest.raises(ValueError, match=told):
        factories.predictor(known)
    policy = factories.policy(list(MODELS), dict.fromkeys(MODELS, 0.001), 0.0)
    with pytest.raises(ValueError, match=told):
        policy.update("a prompt", "coder", score, 1e-3)


@pytest.mark.parametrize("price", [float("inf"), float("nan")])
def test_a_price_that_is_no_number_is_refused(factories: ModuleType, price: float) -> None:
    with pytest.raises(ValueError, match=f"the price is {price}: choose a number of score points per USD"):
        factories.policy(list(MODELS), dict.fromkeys(MODELS, 0.001), price)


def test_scores_that_are_told_late_are_learned_of_their_own_prompts(factories: ModuleType) -> None:
    def learned(late: bool) -> list[str]:
        world, policy = World(3), factories.policy(list(MODELS), dict.fromkeys(MODELS, 0.001), 0.0)
        for pair in range(150):
            asked = [row(world, 2 * pair + n) for n in range(2)]
            if late:
                for each in asked:
                    policy.choose(each["prompt"])
            for n, each in enumerate(asked):
                if not late:
                    policy.choose(each["prompt"])
                model = MODELS[(pair + n) % len(MODELS)]
                policy.update(each["prompt"], model, each["outcomes"][model]["score"], 1e-3)
        policy.freeze()
        return [policy.choose(row(world, n)["prompt"]) for n in range(100)]

    assert learned(late=True) == learned(late=False)


@pytest.mark.parametrize("factory", ["predictor", "cold_start"])
def test_nothing_to_learn_from_is_told(factories: ModuleType, factory: str) -> None:
    first, second = rows(2, 1)
    apart = [{**first, "outcomes": {"a": first["outcomes"]["cheap"]}}, second]
    for known in ([], apart):
        with pytest.raises(ValueError, match=f"{len(known)} rows to learn from \\(--train\\), and no model"):
            getattr(factories, factory)(known)
