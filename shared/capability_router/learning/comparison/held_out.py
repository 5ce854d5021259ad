"""What the learned model says of rows that it has not seen: learned from the others, fold by fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from capability_router.learning.comparison.cost_estimator import CostEstimator
from capability_router.learning.comparison.panel import Matrix, Panel
from capability_router.learning.logs.scored_request import ScoredAnswer, ScoredRequest
from capability_router.learning.quality.embedding import Origin
from capability_router.learning.quality.memory import Remembered, ScoredResult
from capability_router.learning.quality.model import QualityModel, traits_of
from capability_router.learning.quality.repeats import grouped, leaders

_UNSEEN = 0.6  # what is believed of a model of which nothing is known
STUDYING = 2_000
"""What working out the words of a log counts for, in rows of progress."""

_NONE = Origin()
Tick = Callable[[int], None]


class HeldOut(NamedTuple):
    """Per row and model of a panel, the chance that it does well and its cost in USD (NaN = no cost is logged)."""

    quality: Matrix
    usd: Matrix


def trained_model(rows: Iterable[ScoredRequest], origin: Origin = _NONE, tick: Tick = lambda _: None) -> QualityModel:
    """The learned model after these rows, whose embeddings have this origin. `tick` is called for each row."""

    def told() -> Iterator[tuple[Remembered, dict[str, ScoredResult]]]:
        for row in rows:
            yield Remembered(row.id, row.sketch, text=row.text), _results(row)
            tick(1)

    quality = QualityModel()
    quality.origin = origin
    quality.learn_log(told())
    return quality


def foresight(panels: Sequence[Panel], rows: Sequence[ScoredRequest], folds: int, tick: Tick) -> list[HeldOut]:
    """Of each panel. `tick` is called with the rows that are done."""
    parts = folds_of(rows, folds)
    found = [HeldOut(*np.full((2, len(p.rows), len(p.models)), np.nan)) for p in panels]
    for fold in range(folds):
        others = [row for row in rows if parts[row.id] != fold]
        quality, bills = trained_model(others, tick=tick), _bills(others)
        tick(STUDYING)
        for panel, told in zip(panels, found, strict=True):
            at = [i for i, row in enumerate(panel.rows) if parts[row.id] == fold]
            _foretell(panel, at, told, quality, bills, tick)
    return found


def folds_of(rows: Sequence[ScoredRequest], folds: int) -> dict[str, int]:
    """By id, drawn by it; rows of the same text are in one fold, else the answer would be known beforehand."""
    ids = [row.id for row in rows]
    found = leaders(ids, grouped([row.text for row in rows]))
    return {id: _fold_of(leader, folds) for id, leader in zip(ids, found, strict=True)}


def _fold_of(id: str, folds: int) -> int:
    return int.from_bytes(blake2b(id.encode("utf-8", "replace"), digest_size=8).digest(), "little") % folds


def _foretell(
    panel: Panel, at: Sequence[int], told: HeldOut, quality: QualityModel, bills: dict[str, CostEstimator], tick: Tick
) -> None:  # fmt: skip
    asked, none = [(model, _UNSEEN) for model in panel.models], CostEstimator([], [])
    for i in at:
        row = panel.rows[i]
        expected = quality.expect(traits_of(row.sketch), asked)
        told.quality[i] = expected.quality
        pairs = zip(panel.models, expected.tokens.tolist(), strict=True)
        told.usd[i] = [bills.get(model, none).usd(row.size, tokens) for model, tokens in pairs]
        tick(1)


def _bills(rows: Sequence[ScoredRequest]) -> dict[str, CostEstimator]:
    sizes: dict[str, list[float]] = {}
    answers: dict[str, list[ScoredAnswer]] = {}
    for row in rows:
        for model, answer in row.answers.items():
            sizes.setdefault(model, []).append(row.size)
            answers.setdefault(model, []).append(answer)
    return {model: CostEstimator(sizes[model], answers[model]) for model in sizes}


def _results(row: ScoredRequest) -> dict[str, ScoredResult]:
    return {model: ScoredResult(answer.score, answer.tokens) for model, answer in row.answers.items()}
