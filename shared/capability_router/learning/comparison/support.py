"""Which scores a log can tell: of the models that were asked for a request, or might have been."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.logs.scored_request import ScoredRequest

Flags = NDArray[np.bool_]

_OFTEN = 0.01  # of the requests of a kind: from here on a model was asked for them
_BY_CHANCE = 0.01  # a kind so large lacks a model no oftener, if all kinds are asked of it alike


def support(rows: Sequence[ScoredRequest], models: Sequence[str]) -> Flags:
    """Per row and model, whether the log supports an estimate of its score there.

    It does if the model was asked, or if the log gives it a chance. A row whose log names all chances supports no other
    model. For other rows the requests of the same kind decide: the model must have been asked for some of them without
    being certain from the start.
    """
    asked = np.array([[model in row.answers for model in models] for row in rows], bool)
    able = np.array([[row.chances.get(model, 0.0) > 0.0 for model in models] for row in rows], bool)
    stated = np.array([row.stated for row in rows], bool)[:, None]
    certain = np.array([any(chance >= 1.0 for chance in row.chances.values()) for row in rows], bool)[:, None]
    drawn = np.array([bool(row.chances) for row in rows], bool)[:, None] & ~stated  # others had a part of the rest
    kinds = np.unique([row.kind for row in rows], return_inverse=True)[1]
    size = np.bincount(kinds)[:, None]
    freely = _counted(asked & ~certain, kinds)
    small = (freely == 0) & ((1.0 - asked.mean(0)) ** size >= _BY_CHANCE)
    often = (freely > 0) & (freely >= _OFTEN * size)
    return np.asarray(asked | able | drawn | ((often | small)[kinds] & ~stated))


def _counted(flags: Flags, kinds: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many of each column are set, per kind."""
    return np.column_stack([np.bincount(kinds[column], minlength=int(kinds.max()) + 1) for column in flags.T])
