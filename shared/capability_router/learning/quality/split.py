"""Scores by request and model, with gaps: what of them all models share, and what is each one's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capability_router.learning.quality.sketch import Matrix

_EVEN = 1.0  # squared foreseen effects, summed, that an even slope is worth


class Split(NamedTuple):
    """Scores = levels (models) + shared (rows, 1) + own (rows, models); `there`: 1 where there is one, 0 in gaps."""

    levels: Matrix
    shared: Matrix
    own: Matrix
    there: Matrix


def split(scores: Matrix, foreseen: Matrix | None = None) -> Split:
    """Scores (rows, models), NaN where a model was not asked; `foreseen` (rows, 1) is what is known of `shared`."""
    there = (~np.isnan(scores)).astype(np.float32)
    known = np.where(there > 0, scores, 0.0).astype(np.float32)
    before = np.zeros((len(scores), 1), np.float32) if foreseen is None else foreseen
    levels = (known - before * there).sum(0) / np.maximum(there.sum(0), 1.0)
    return parted(scores, levels, before)


def slopes(scores: Matrix, levels: Matrix, foreseen: Matrix) -> Matrix:
    """Per model, by how much more (or less) than others it suffers from what was foreseen of a request; at first 1."""
    there = ~np.isnan(scores)
    beyond = np.where(there, scores - levels, 0.0)
    square = (np.square(foreseen) * there).sum(0)
    return np.asarray(
        np.clip((foreseen * beyond).sum(0) + _EVEN, 0.0, 2.0 * (square + _EVEN)) / (square + _EVEN), np.float32
    )


def parted(scores: Matrix, levels: Matrix, foreseen: Matrix, slope: Matrix | float = 1.0) -> Split:
    """The same with the levels given, and the slopes.

    Where all were asked, what is shared is seen. Where one was, a low score may be the request's doing or the
    model's, and only what was foreseen of the request tells.
    """
    there = (~np.isnan(scores)).astype(np.float32)
    beyond = np.where(there > 0, scores - levels, 0.0)
    count = there.sum(1, keepdims=True)
    shared = beyond.sum(1, keepdims=True) / np.maximum(count, 1.0)
    share = np.clip((count - 1.0) / max(scores.shape[1] - 1, 1), 0.0, 1.0)
    own = (beyond - slope * (share * shared + (1.0 - share) * foreseen)) * there
    return Split(levels.astype(np.float32), shared.astype(np.float32), own.astype(np.float32), there)
