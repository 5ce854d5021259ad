"""Regularised least squares in which each row is also foretold by those of the other parts alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix

PENALTY = 20.0
Parts = NDArray[np.intp]


class Line(NamedTuple):
    """`weights` (features, targets) fitted on all rows; `unseen` (rows, targets) foretold without their own part."""

    weights: Matrix
    unseen: Matrix


def line(x: Matrix, y: Matrix, parts: Parts) -> Line:
    """Of rows (rows, features) and targets (rows, targets); `parts` (rows) numbers the part of each row."""
    groups = [np.flatnonzero(parts == part) for part in np.unique(parts)]
    return (_by_features if len(x) > x.shape[1] else _by_rows)(x, y, groups)


def _by_features(x: Matrix, y: Matrix, groups: list[Parts]) -> Line:
    """A part is left out by taking its squares away from all."""
    squares, moments = [x[g].T @ x[g] for g in groups], [x[g].T @ y[g] for g in groups]
    square, moment, unseen = sum(squares), sum(moments), np.zeros_like(y)
    for group, own, its in zip(groups, squares, moments, strict=True):
        unseen[group] = x[group] @ _solved(square - own, moment - its)
    return Line(_solved(np.asarray(square), np.asarray(moment)), unseen)


def _by_rows(x: Matrix, y: Matrix, groups: list[Parts]) -> Line:
    square, unseen = x @ x.T, np.zeros_like(y)
    for group in groups:
        rest = np.setdiff1d(np.arange(len(x)), group, assume_unique=True)
        unseen[group] = square[np.ix_(group, rest)] @ _solved(square[np.ix_(rest, rest)], y[rest])
    return Line(x.T @ _solved(square, y), unseen)


def _solved(square: Matrix, moment: Matrix) -> Matrix:
    return np.asarray(np.linalg.solve(square + PENALTY * np.eye(len(square), dtype=np.float32), moment), np.float32)
