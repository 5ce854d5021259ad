"""Predicts the length of each model's answer: log-linear, corrected for the bias of the exponential."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.decomposition import ScoreDecomposition
from capability_router.learning.quality.products import products
from capability_router.learning.quality.ridge import RidgeFit
from capability_router.learning.quality.sketch import Matrix

_LEAST = 30  # answers with known tokens that a model needs for a prediction
_WIDEST = 4.0  # the longest prediction, in times of the model's longest answer


class Verbosity(NamedTuple):
    """Per model `levels` of the logarithm, `factors` and `most` tokens; `weights` (features, 1 + models)."""

    levels: Matrix
    factors: Matrix
    most: Matrix
    weights: Matrix

    def of(self, features: Matrix) -> NDArray[np.float64]:
        """Tokens per model for a request's features (features), NaN if there are too few answers."""
        found = products(self.weights.T, features)
        logs = self.levels + found[0] + found[1:]
        tokens = np.minimum(np.exp(np.minimum(logs, 20.0)) * self.factors, self.most)
        return np.asarray(tokens, np.float64)


def verbosity(found: RidgeFit, logs: ScoreDecomposition, tokens: Matrix) -> Verbosity:
    """`found` of the logarithms of tokens (rows, models; NaN = unknown) that were split into `logs`."""
    count = logs.there.sum(0)
    foretold = np.exp(logs.levels + found.unseen[:, :1] + found.unseen[:, 1:]) * logs.there
    seen = np.where(logs.there > 0, tokens, 0.0)
    factors = seen.sum(0) / np.maximum(foretold.sum(0), 1e-9)
    return Verbosity(
        logs.levels,
        np.where(count >= _LEAST, factors, np.nan).astype(np.float32),
        (_WIDEST * seen.max(0, initial=0.0)).astype(np.float32),
        found.weights,
    )
