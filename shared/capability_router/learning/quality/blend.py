"""How far predictions can be trusted, measured on rows that they were not fitted on.

Each source (the ridge, neighbours by words, neighbours by words and form, trees) is weighted by non-negative least
squares. From the third source on, each must prove that it adds something. The models' own deviations are then shrunk
along the directions in which they move together. In a direction in which the predictions are no better than chance (as
in most, with many models) they are dropped. Else the best of many noisy estimates would be the most overrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.decomposition import ScoreDecomposition
from capability_router.learning.quality.sketch import Matrix

SOURCES, _TAKEN = 4, 2  # sources; how many of the first need no proof
_ROUNDS, _DOUBT = 100, 1.0  # of descent; standard errors of proof that a direction needs, and a further source


class Blend(NamedTuple):
    """`shared` (sources): weights for the shared part. `own` (sources, models, models): rows of deviations @ own[i]."""

    shared: Matrix
    own: Matrix

    def trusts(self, source: int) -> bool:
        """Whether the source at this index has any weight."""
        return bool(self.shared[source] or self.own[source].any())

    def apply(self, sources: Sequence[Matrix]) -> Matrix:
        """From each source's (rows, 1 + models), shared first, to one (rows, 1 + models)."""
        shared = np.concatenate([source[:, :1] for source in sources], axis=1) @ self.shared[:, None]
        own = np.concatenate([source[:, 1:] for source in sources], axis=1) @ self.own.reshape(-1, self.own.shape[2])
        return np.concatenate((shared, own), axis=1, dtype=np.float32)


def blend(sources: Sequence[Matrix], true: ScoreDecomposition) -> Blend:
    """Fitted on predictions (rows, 1 + models) that did not see these outcomes."""
    some = np.asarray(true.there.any(1, keepdims=True), np.bool_)
    shared = _forward_selected([source[:, :1] for source in sources], true.shared, some)
    mixed = _forward_selected([source[:, 1:] for source in sources], true.own, np.asarray(true.there > 0, np.bool_))
    together = sum(weight * source[:, 1:] for weight, source in zip(mixed, sources, strict=True))
    drawn = _directions(np.asarray(together), true)
    return Blend(shared.astype(np.float32), np.stack([weight * drawn for weight in mixed]).astype(np.float32))


def _directions(predicted: Matrix, true: ScoreDecomposition) -> Matrix:
    """The matrix that keeps the predictive part of deviations along each of their principal directions."""
    _, axes = np.linalg.eigh((predicted.T @ predicted).astype(np.float64))
    along = predicted @ axes
    weights = np.array(
        [
            _shrinkage((along[:, i : i + 1] * axes[:, i])[true.there > 0], true.own[true.there > 0])
            for i in range(len(axes))
        ]
    )
    return np.asarray((axes * weights) @ axes.T, np.float32)


def _shrinkage(predicted: Matrix, true: Matrix) -> float:
    """The share, 0 to 1, of a prediction that comes true, minus a margin for chance."""
    square = float(predicted @ predicted)
    error = float(np.sqrt(np.square(predicted * (true - predicted)).sum()))
    return float(np.clip((predicted @ true - _DOUBT * error) / square, 0.0, 1.0)) if square > 0.0 else 0.0


def _forward_selected(sources: Sequence[Matrix], true: Matrix, there: NDArray[np.bool_]) -> Matrix:
    """Weights of sources (rows, columns); a further source gets none unless it predicts better, beyond chance."""
    columns, wanted, rows = np.column_stack([source[there] for source in sources]), true[there], np.nonzero(there)[0]
    kept = list(range(min(len(sources), _TAKEN)))
    found = _weights(columns, wanted, kept)
    for further in range(_TAKEN, len(sources)):
        more = _weights(columns, wanted, [*kept, further])
        better = np.square(wanted - columns @ found) - np.square(wanted - columns @ more)
        by_row = np.bincount(rows, better, len(there))[there.any(1)]
        if by_row.mean() > _DOUBT * by_row.std() / len(by_row) ** 0.5:
            found, kept = more, [*kept, further]
    return found


def _weights(columns: Matrix, true: Matrix, among: Sequence[int]) -> Matrix:
    """Non-negative least squares by coordinate descent; sources that are not allowed have 0."""
    square = (columns.T @ columns).astype(np.float64) + 1e-3 * np.eye(columns.shape[1])
    moment = (columns.T @ true).astype(np.float64)
    weights = np.zeros(len(square))
    weights[list(among)] = 0.5
    for _ in range(_ROUNDS):
        for i in among:
            weights[i] = max(0.0, weights[i] + (moment[i] - square[i] @ weights) / square[i, i])
    return weights.astype(np.float32)
