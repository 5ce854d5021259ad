"""Scored requests of one group and the models that they were put to, as matrices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.comparison.support import support
from capability_router.learning.logs.scored_request import ScoredRequest
from capability_router.learning.quality.model import LEAST
from capability_router.learning.quality.repeats import Groups, grouped

Matrix = NDArray[np.float64]

LEAST_ANSWERS = 30
"""Outcomes, below which a model is not compared, and costs, below which none are."""
_WHOLE = 0.8  # of the rows have every model's outcome: the others are left out, and all is seen
_TOLD = 0.5  # of the rows, at least: for fewer a comparison would be of other requests than the log's
_KNOWN, _LEAST_CHANCE = 5.0, 0.02  # requests of a kind that the overall shares count for; never believed to be rarer


class Panel(NamedTuple):
    """`scores`, `usd` (rows, models), NaN = not asked, not known; `whole`: every model was asked for every row.

    `few`: the models that were left out for too few outcomes; `apart`: those that were left out because for most
    requests nothing tells what they would have scored. `beside`: the requests that were left out; `alone`: further ones
    for which nothing tells that of one of the models.
    """

    name: str
    rows: list[ScoredRequest]
    models: list[str]
    scores: Matrix
    usd: Matrix
    whole: bool
    few: list[str]
    beside: int = 0
    apart: tuple[str, ...] = ()
    alone: int = 0

    @property
    def texts(self) -> Groups:
        """Per row the number of its text, in the order in which texts first appear."""
        return grouped([row.text for row in self.rows])


def panels(rows: Sequence[ScoredRequest]) -> list[Panel]:
    """One per group, the largest first. Groups that are too small to be compared by themselves are one panel together,
    if they are large enough for one.
    """
    groups: dict[str, list[ScoredRequest]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    small = [name for name in groups if len(groups[name]) < LEAST]
    if len(small) > 1 and sum(len(groups[name]) for name in small) >= LEAST:
        together = [row for name in small for row in _by_group(groups.pop(name))]
        groups[f"{len(small):,} groups of fewer than {LEAST} requests"] = together
    return [_panel(name, groups[name]) for name in sorted(groups, key=lambda g: (-len(groups[g]), g))]


def _by_group(rows: list[ScoredRequest]) -> list[ScoredRequest]:
    """With the group as a part of the kind: which models are asked may go by the group."""
    return [replace(row, kind=f"{row.group}\n{row.kind}") for row in rows]


def _panel(name: str, rows: list[ScoredRequest], apart: tuple[str, ...] = ()) -> Panel:
    counts = Counter(model for row in rows for model in row.answers)
    models = sorted(model for model, count in counts.items() if count >= LEAST_ANSWERS and model not in apart)
    few = sorted(counts.keys() - {*models, *apart})
    near = [row for row in rows if not models or any(model in row.answers for model in models)]
    full = [row for row in near if all(model in row.answers for model in models)]
    whole = bool(models) and len(full) >= _WHOLE * len(near)
    told = full if whole else near
    kept = told
    if not whole and len(models) > 1:
        known = support(told, models)
        if lost := _untold(known, models):
            return _panel(name, rows, tuple(sorted((*apart, *lost))))
        kept = [row for row, each in zip(told, known, strict=True) if each.all()]
    scores, usd = _matrices(kept, models)
    return Panel(name, kept, models, scores, usd, whole, few, len(rows) - len(told), apart, len(told) - len(kept))


def _untold(known: NDArray[np.bool_], models: list[str]) -> list[str]:
    """The models of which most rows tell nothing. All, if that leaves one, or if most rows lack one or the other."""
    lost = [model for model, share in zip(models, known.mean(0), strict=True) if share < _TOLD]
    none = len(models) - len(lost) < 2 or (not lost and known.all(1).mean() < _TOLD)
    return models if none else lost


def _matrices(rows: list[ScoredRequest], models: list[str]) -> tuple[Matrix, Matrix]:
    scores, usd = np.full((2, len(rows), len(models)), np.nan)
    for at, row in enumerate(rows):
        for column, model in enumerate(models):
            if (answer := row.answers.get(model)) is not None:
                scores[at, column] = answer.score
                usd[at, column] = np.nan if answer.cost_usd is None else answer.cost_usd
    return scores, usd


def unpriced(panel: Panel) -> dict[str, int]:
    """The models of which too few costs are logged to compare costs, and how many are logged of each."""
    counts = zip(panel.models, (~np.isnan(panel.usd)).sum(0).tolist(), strict=True)
    return {model: count for model, count in counts if count < LEAST_ANSWERS}


def chances(panel: Panel) -> Matrix:
    """With which chance each model was asked for each row (rows, models): its share among requests of the same kind.

    What the log itself says of chances is taken instead.
    """
    asked = ~np.isnan(panel.scores)
    if panel.whole:
        return np.ones(asked.shape)  # other rows were left out
    overall = asked.mean(0)
    kinds = np.unique([row.kind for row in panel.rows], return_inverse=True)[1]
    size = np.bincount(kinds)[:, None]
    shares = np.column_stack([np.bincount(kinds, column, len(size)) for column in asked.T])
    found = ((shares + _KNOWN * overall) / (size + _KNOWN))[kinds]
    for at, row in enumerate(panel.rows):
        # a row that gives a model no chance is only here because that model was asked all the same
        told = [row.chances.get(model, float(row.stated)) for model in panel.models] if row.chances else []
        found[at] = [chance or share for chance, share in zip(told, found[at], strict=True)] if told else found[at]
    return np.asarray(np.maximum(found, _LEAST_CHANCE))


def single_model_share(panel: Panel) -> float:
    """The share of rows of a kind for which only one model was ever asked: of the others nothing is known there."""
    asked: dict[str, set[str]] = defaultdict(set)
    for row in panel.rows:
        asked[row.kind].update(row.answers)
    return float(np.mean([len(asked[row.kind]) < 2 for row in panel.rows])) if panel.rows else 0.0
