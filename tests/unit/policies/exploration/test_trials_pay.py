"""Trials find the better model, for less money than the same share of requests drawn evenly would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from capability_router import Price, Request
from capability_router.learning.learner import Learner
from capability_router.learning.quality.levels import Level
from capability_router.learning.quality.model import QualityModel
from capability_router.policies.base import Scored
from capability_router.policies.exploration.budget import LocalExplorationBudget
from capability_router.policies.exploration.explorer import PICKED, ExplorationChoice, Explorer
from capability_router.testing import ScriptedModel, ask, scripted_router

SHARE, REQUESTS, PURSE = 0.1, 800, 10**15
RIGHT = {"usual": 0.75, "new": 0.92, "c": 0.6, "d": 0.6, "e": 0.55, "f": 0.5}  # of the answers
SETTLED = 400  # scores that all have but the new one
DEARER = ("c", "d", "e", "f")


class Evenly(Explorer):
    """Who may be better within both errors is tried, each as often: the reference."""

    def choose(self, request_id: str, ranked: Sequence[Scored], now: float) -> ExplorationChoice:
        best, first = ranked[0]
        may = [at for at, (q, row) in enumerate(ranked) if at and q + row.error > best - first.error]
        dice = Random(request_id)
        if not may or dice.random() >= SHARE:
            return PICKED
        at = dice.choice(may)
        return ExplorationChoice(
            at, SHARE / len(may), max((ranked[at][1].cost_pico or 0) - (first.cost_pico or 0), 0), "tried"
        )


class Found(NamedTuple):
    """When the new model was the pick of nine in ten of a hundred, the answers that were right, and the trials' USD."""

    after: int
    right: float
    usd: float


def lived(path: Path, explorer: type[Explorer], seed: int, monkeypatch: pytest.MonkeyPatch) -> Found:
    monkeypatch.setattr(QualityModel, "due", False)  # words are no matter here
    cards = {id: {"price": Price(20 if id in DEARER else 2, 20), "quality": {"default": 0.7}} for id in RIGHT}
    policy = {"name": "adaptive", "state": str(path), "exploration": SHARE, "cost_weight": 0.0, "latency_weight": 0.0}
    router = scripted_router({id: ScriptedModel(["ok"] * REQUESTS) for id in RIGHT}, cards=cards, policy=policy)
    money, learned = LocalExplorationBudget(PURSE), router.planner.learned
    assert router.planner.explorer is not None
    assert isinstance(learned, Learner)
    levels = {id: Level(right * SETTLED, SETTLED, seen=SETTLED) for id, right in RIGHT.items() if id != "new"}
    learned.quality = QualityModel(levels=levels, scored=SETTLED)
    router.planner = replace(router.planner, explorer=explorer(SHARE, money, seed))
    dice, asked, right = Random(seed), [], 0.0
    for number in range(REQUESTS):
        word = "".join(dice.choices("abcdefgh", k=12))  # what is asked again is judged by its own scores
        request = Request((f"hello {word}",), id=f"{seed} {number}")
        model = ask(router, request).outcome.model
        asked.append(model)
        right += (score := float(dice.random() < RIGHT[str(model)]))
        router.feedback(request.id, score)
    spent = (PURSE - money.left(router.clock.now())) / 1e12
    router.close()
    sure = (at for at in range(100, REQUESTS) if asked[at - 100 : at].count("new") >= 85)
    return Found(next(sure, REQUESTS), right / REQUESTS, spent)


def test_the_better_model_is_found_for_less_than_by_even_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    hopeful, evenly = (
        [lived(tmp_path / f"{kind.__name__} {seed}.json", kind, seed, monkeypatch) for seed in range(4)]
        for kind in (Explorer, Evenly)
    )
    assert max(each.after for each in hopeful) < 500
    assert sum(each.right for each in hopeful) > sum(each.right for each in evenly)
    assert sum(each.usd for each in hopeful) < 0.4 * sum(each.usd for each in evenly)
    assert sum(each.after for each in hopeful) < sum(each.after for each in evenly)
