"""Splits scores by request and model, with gaps, into what all models share and what is each one's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capability_router.learning.quality.sketch import Matrix

_EVEN = 4.0  # an even slope counts as this sum of squared predicted effects


class ScoreDecomposition(NamedTuple):
    """Scores = levels (models) + shared (rows, 1) + own (rows, models); `there`: 1 for a score, 0 for a gap."""

    levels: Matrix
    shared: Matrix
    own: Matrix
    there: Matrix


def split(scores: Matrix) -> ScoreDecomposition:
    """Scores (rows, models), NaN where a model was not asked; levels are the means of known scores."""
    there = ~np.isnan(scores)
    levels = np.where(there, scores, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    return parted(scores, levels.astype(np.float32), np.zeros((len(scores), 1), np.float32))


def slopes(scores: Matrix, levels: Matrix, foreseen: Matrix) -> Matrix:
    """Per model, how much more (or less) than others it suffers from the predicted effect of a request.

    1, plus what of the difference is beyond one standard error: else the pick of many noisy slopes would be the most
    overrated one.
    """
    there = ~np.isnan(scores)
    beyond = foreseen * np.where(there, scores - levels - foreseen, 0.0)
    found, error = beyond.sum(0), np.sqrt(np.square(beyond).sum(0))
    proven = np.sign(found) * np.maximum(np.abs(found) - error, 0.0)
    return np.asarray(np.clip(1.0 + proven / ((np.square(foreseen) * there).sum(0) + _EVEN), 0.0, 2.0), np.float32)


def parted(scores: Matrix, levels: Matrix, foreseen: Matrix, slope: Matrix | float = 1.0) -> ScoreDecomposition:
    """The same with given levels and slopes.

    If all models were asked, the shared part is observed. If one was, a low score may be due to the request or the
    model, and only the prediction for the request can tell.
    """
    there = (~np.isnan(scores)).astype(np.float32)
    beyond = np.where(there > 0, scores - levels, 0.0)
    count = there.sum(1, keepdims=True)
    shared = beyond.sum(1, keepdims=True) / np.maximum(count, 1.0)
    share = np.clip((count - 1.0) / max(scores.shape[1] - 1, 1), 0.0, 1.0)
    own = (beyond - slope * (share * shared + (1.0 - share) * foreseen)) * there
    return ScoreDecomposition(levels.astype(np.float32), shared.astype(np.float32), own.astype(np.float32), there)
