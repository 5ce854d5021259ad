"""The costs that fit a corpus best: non-negative least squares of the relative error, outliers weighed less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.tokens.everyday import EVERYDAY, USUAL
from benchmarks.tokens.found import LANGUAGES
from benchmarks.tokens.odd import KINDS as ODD
from benchmarks.tokens.odd import SHORT
from benchmarks.tokens.sample import Sample
from capability_router.tokens.estimate import COSTS, counts
from capability_router.tokens.scripts import COSTS_BEYOND

_ROUNDS, _SWEEPS = 6, 3_000
_CLOSE = 0.03  # relative errors below this count alike
_LANGUAGE_WEIGHT, _WEIGHT = 0.4, 1.5  # what programs say in a language is less like prompts than prose is
_ODD_WEIGHT = 0.9
_EVERYDAY_WEIGHT = 0.7  # for each of sixty languages, so that the most are heard, and the machine's texts too
_RARE_WEIGHT = 4.5  # texts of rare words are told too few tokens however they are weighed, which is worse than too many


def fitted(samples: Sequence[Sample], tokens: Sequence[int]) -> dict[str, float]:
    """Tokens for each thing counted, by its name in COSTS and COSTS_BEYOND."""
    rows = np.array([_row(sample.text) for sample in samples], float) / np.array(tokens, float)[:, None]
    weights = np.array([_weight(s.kind) for s in samples]) ** 0.5
    costs = _nnls(rows * weights[:, None], weights)
    for _ in range(_ROUNDS):
        near = weights / np.sqrt(np.maximum(np.abs(rows @ costs - 1), _CLOSE))
        costs = _nnls(rows * near[:, None], near)
    return dict(zip((*COSTS, *COSTS_BEYOND), map(float, costs), strict=True))


def _weight(kind: str) -> float:
    if kind in ODD:
        return _ODD_WEIGHT
    if kind == "rare words":
        return _RARE_WEIGHT
    if kind.startswith((EVERYDAY, USUAL)):
        return _EVERYDAY_WEIGHT
    said = kind.removeprefix(SHORT) in LANGUAGES or kind.startswith("messages")
    return _LANGUAGE_WEIGHT if said else _WEIGHT


def _row(text: str) -> list[float]:
    plain, beyond = counts(text)
    return [*plain, *beyond, *[0] * (len(COSTS_BEYOND) - len(beyond))]


def _nnls(rows: Any, wanted: Any) -> Any:
    """Coordinate descent: few columns, so it is quick enough and needs no solver."""
    square, aim = rows.T @ rows, rows.T @ wanted
    costs, steps = np.zeros(rows.shape[1]), np.where(np.diag(square) > 0, np.diag(square), 1)
    for _ in range(_SWEEPS):
        before = costs.copy()
        for i in range(len(costs)):
            costs[i] = max(0.0, costs[i] - (square[i] @ costs - aim[i]) / steps[i])
        if np.abs(costs - before).max() < 1e-7:
            break
    return costs
