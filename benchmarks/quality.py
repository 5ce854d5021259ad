"""How well the product routes, on recorded outcomes of real models: python -m benchmarks.quality --shared ../shared

The evaluators and the data are not part of the repository (`--shared` is where `eval/` and `data/routing/` are); what
is learned from and judged on is cut from the train files alone. The evaluators also take this module's factories:

    python routing_quality.py DATA --train TRAIN --predictor benchmarks.quality:predictor   (or :cold_start)
    python routing_online.py DATA --policy benchmarks.quality:policy
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capability_router import ModelCard, Request
from capability_router.features import features
from capability_router.learning.logs.values import NO_SCORE, OUTSIDE, SCALES, score_of
from capability_router.learning.prior import Prior, StatedQuality
from capability_router.learning.quality.memory import Remembered, ScoredResult
from capability_router.learning.quality.model import QualityModel, QualityPrediction
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.traits import traits
from capability_router.policies.base import EligibleModel, Scored
from capability_router.policies.exploration.budget import LocalExplorationBudget
from capability_router.policies.exploration.explorer import Explorer
from capability_router.tokens.estimate import estimate_tokens

Row = Mapping[str, Any]
LIKE_THE_MEAN = 1_000  # stands for the tokens of an answer that costs what the model's mean answer does
PRICED = 5.0  # scored answers that a guess from the price is worth
LEAST_COUNTS = 30  # rows of a model with token counts, unless all have them
UNSEEN = 0.6  # what is believed of a model before any of its outcomes; every model here has hundreds


class RecordedBill:
    """What one model's answers cost, as its recorded bills show: USD per token in and out, and how it counts.

    A count or a cost that is missing in a few rows leaves these rows out. Counts of fewer than LEAST_COUNTS rows are
    used only if there are no other rows.
    """

    def __init__(self, estimated: Sequence[float], outcomes: Sequence[Row]) -> None:
        entered, _ = _counts(outcomes, "input_tokens", 0.0)
        out, self.told = _counts(outcomes, "output_tokens", 1.0)  # without counts, the second price is of an answer
        usd = np.array([np.nan if o.get("cost_usd") is None else o["cost_usd"] for o in outcomes])
        known = ~np.isnan(entered + out + usd)
        columns = np.column_stack((entered, out))[known]
        self.per_input, self.per_output = np.linalg.lstsq(columns, usd[known], rcond=None)[0]
        self.usual = float(np.nanmean(out))
        sizes = np.column_stack((estimated, np.ones(len(entered))))
        there = ~np.isnan(entered)
        self.counted = np.linalg.lstsq(sizes[there], entered[there], rcond=None)[0]

    def usd(self, estimated: float, answer: float) -> float:
        """Of a prompt of so many estimated tokens and an answer of so many (NaN = as long as usual)."""
        entered = max(self.counted[0] * estimated + self.counted[1], 0.0)  # below the shortest prompt of the log, too
        bill = self.per_input * entered + self.per_output * (answer if self.told and answer == answer else self.usual)
        return max(float(bill), 0.0)  # a few rows fit any price


def _counts(outcomes: Sequence[Row], name: str, none: float) -> tuple[NDArray[np.float64], bool]:
    """Of the rows, NaN = missing, and whether there are enough. If there are not, `none` for every row."""
    found = np.array([np.nan if o.get(name) is None else o[name] for o in outcomes], np.float64)
    enough = int((~np.isnan(found)).sum()) >= min(LEAST_COUNTS, len(found))
    return (found, True) if enough else (np.full(len(found), none), False)


class TrainedRouter:
    """The learned model of quality after a log, and what each model charges by the same log."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.models = _shared_models(rows)
        self.quality = QualityModel()
        self.quality.learn_log((remembered(i, row["prompt"]), _results(row, self.models)) for i, row in enumerate(rows))
        sizes = [estimate_tokens(row["prompt"]) for row in rows]
        self.bills = [RecordedBill(sizes, [row["outcomes"][m] for row in rows]) for m in self.models]
        self._asked = [(model, UNSEEN) for model in self.models]

    def predict(self, prompts: Sequence[str]) -> list[dict[str, float]]:
        found = (self.quality.expect(traits(Request((prompt,))), self._asked) for prompt in prompts)
        return [dict(zip(self.models, expected.quality.tolist(), strict=True)) for expected in found]

    def predict_cost(self, prompts: Sequence[str]) -> list[dict[str, float]]:
        return [self._costs(prompt) for prompt in prompts]

    def _costs(self, prompt: str) -> dict[str, float]:
        tokens = self.quality.expect(traits(Request((prompt,))), self._asked).tokens
        size = estimate_tokens(prompt)
        priced = zip(self.models, self.bills, tokens.tolist(), strict=True)
        return {model: bill.usd(size, answer) for model, bill, answer in priced}


class PriorBaseline:
    """The card priors and the hand heuristic: models are told apart by their prices alone."""

    def __init__(self, mean_usd: Mapping[str, float]) -> None:
        self._prior = Prior([StatedQuality(model, {}, round(usd * 1e12)) for model, usd in mean_usd.items()])

    def predict(self, prompts: Sequence[str]) -> list[dict[str, float]]:
        return [self.of(prompt) for prompt in prompts]

    def of(self, prompt: str) -> dict[str, float]:
        found = features(Request((prompt,)))
        believed = self._prior.on(found.task).items()
        return {model: _believed(belief, found.hardness) for model, belief in believed}


def _believed(belief: Any, hardness: float) -> float:
    slope = belief.slope_easy if hardness < 0.0 else belief.slope_hard
    return min(max(belief.level + hardness * slope, 0.01), 0.99)


class Online:
    """Learns while it chooses, from the chosen models' outcomes alone; starts with prices and the hand heuristic."""

    def __init__(
        self, models: Sequence[str], mean_usd: Mapping[str, float], price: float, share: float = 1.0
    ) -> None:  # fmt: skip
        self.models, self.price = list(models), price
        self._explorer, self._cards = (
            Explorer(share, LocalExplorationBudget(10**18), 0),
            [ModelCard(model) for model in models],
        )
        self._usd = np.array([mean_usd[model] for model in models])
        self._cold, self._quality = PriorBaseline({model: mean_usd[model] for model in models}), QualityModel()
        self._frozen, self._asked = False, 0
        self._latest: tuple[str, Sketch] = "", sketch(traits(Request(("",))))

    def choose(self, prompt: str) -> str:
        seen, before = traits(Request((prompt,))), self._cold.of(prompt)
        expected = self._quality.expect(seen, [(model, before[model]) for model in self.models], PRICED)
        worth = expected.quality - self.price * self._costs(expected)
        self._latest = prompt, sketch(seen)
        return self.models[int(worth.argmax())] if self._frozen else self._explored(expected, worth.tolist())

    def _explored(self, expected: QualityPrediction, worth: list[float]) -> str:
        """Whom a router would ask whose `exploration` is the share; money is no matter."""
        quality, errors = expected.quality.tolist(), expected.error.tolist()
        bonuses, unseen = self._quality.bonuses(self.models, expected.error), map(self._quality.unseen, self.models)
        ranked: list[Scored] = [
            (
                worth[at],
                EligibleModel(
                    card, quality[at], 0, None, 0.0, 0, "", error=(errors[at] ** 2 + more) ** 0.5, bonus=bonuses[at]
                ),
            )
            for at, (card, more) in enumerate(zip(self._cards, unseen, strict=True))
        ]
        ranked.sort(key=lambda each: -each[0])
        return ranked[self._explorer.choose(str(self._asked), ranked, 0.0).at][1].card.id

    def _costs(self, expected: QualityPrediction) -> NDArray[np.float64]:
        """The mean of each model, corrected for how long this request's answers are."""
        return self._usd * np.clip(np.nan_to_num(expected.tokens / LIKE_THE_MEAN, nan=1.0), 0.1, 10.0)

    def update(self, prompt: str, model: str, score: float, cost: float) -> None:
        usual, self._asked = float(self._usd[self.models.index(model)]), self._asked + 1
        long = round(LIKE_THE_MEAN * cost / usual) if usual > 0.0 else None
        chosen, drawn = self._latest
        if prompt != chosen:  # told later than for the prompt that was chosen for last
            drawn = sketch(traits(Request((prompt,))))
        self._quality.learn(Remembered(str(self._asked), drawn), {model: ScoredResult(_on_scale(score, model), long)})
        if self._quality.due:
            self._quality.refit()

    def freeze(self) -> None:
        self._frozen = True
        self._quality.refit()


def predictor(train_rows: Sequence[Row]) -> TrainedRouter:
    """For routing_quality.py --predictor."""
    return TrainedRouter(train_rows)


def cold_start(train_rows: Sequence[Row]) -> PriorBaseline:
    """For routing_quality.py --predictor: of the rows it takes the models' names and their mean costs, no score."""
    models = _shared_models(train_rows)
    return PriorBaseline(
        {m: float(np.mean([r["outcomes"][m].get("cost_usd") or 0.0 for r in train_rows])) for m in models}
    )


def policy(models: Sequence[str], mean_cost: Mapping[str, float], price: float) -> Online:
    """For routing_online.py --policy."""
    if not math.isfinite(price):
        raise ValueError(f"the price is {price}: choose a number of score points per USD (--price), or auto")
    return Online(models, mean_cost, price)


def _shared_models(rows: Sequence[Row]) -> list[str]:
    """The models that every row has an outcome of."""
    models = sorted(set.intersection(*(set(r["outcomes"]) for r in rows))) if rows else []
    if not models:
        raise ValueError(f"{len(rows)} rows to learn from (--train), and no model has an outcome in each")
    return models


def remembered(number: int, prompt: str) -> Remembered:
    text = blake2b(prompt.encode("utf-8", "replace"), digest_size=8).digest()
    return Remembered(str(number), sketch(traits(Request((prompt,)))), text=text)


def _results(row: Row, models: Sequence[str]) -> dict[str, ScoredResult]:
    outcomes = row["outcomes"]
    return {m: ScoredResult(_on_scale(outcomes[m]["score"], m), outcomes[m].get("output_tokens")) for m in models}


def _on_scale(score: float, model: str) -> float:
    """The score; raises ValueError for one of another scale, by which each prediction would be 0 or 1."""
    if score_of(score) in (OUTSIDE, NO_SCORE):
        raise ValueError(f"{model} has the score {score!r}, which is no number from 0 to 1. {SCALES}")
    return score


if __name__ == "__main__":
    from benchmarks.quality_table import main

    sys.exit(main())
