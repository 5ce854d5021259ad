"""Regularised least squares in which each row is also predicted by the other parts alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix

PENALTY, LIGHT = 20.0, 5.0  # the second if it predicts unseen rows better
Parts = NDArray[np.intp]


class RidgeFit(NamedTuple):
    """`weights` (features, targets) fitted on all rows; `unseen` (rows, targets) predicted without the row's own
    part.
    """

    weights: Matrix
    unseen: Matrix


def line(x: Matrix, y: Matrix, parts: Parts) -> RidgeFit:
    """Of rows (rows, features) and targets (rows, targets); `parts` (rows) numbers the part of each row."""
    sums = _sums(x, y, parts)
    return RidgeFit(sums.weights(PENALTY), sums.unseen(PENALTY))


def best_ridge_fit(x: Matrix, y: Matrix, parts: Parts, shared: NDArray[np.bool_]) -> RidgeFit:
    """The same, but `shared` targets get a light penalty if that predicts unseen rows better.

    The scores of all models together describe a request more reliably than the scores of one model.
    """
    sums, at = _sums(x, y, parts), np.flatnonzero(shared)
    weights, unseen = sums.weights(PENALTY), sums.unseen(PENALTY)
    if len(at):
        light = sums.unseen(LIGHT)
        wrong = [np.square(each[:, at] - y[:, at]).sum(0) for each in (light, unseen)]
        if len(better := at[wrong[0] < wrong[1]]):
            weights[:, better], unseen[:, better] = sums.weights(LIGHT)[:, better], light[:, better]
    return RidgeFit(weights, unseen)


class _PrimalRidge:
    """A part is left out by subtracting its squares from the total."""

    def __init__(self, x: Matrix, y: Matrix, groups: list[Parts]) -> None:
        self._x, self._y, self._groups = x, y, groups
        self._squares, self._moments = [x[g].T @ x[g] for g in groups], [x[g].T @ y[g] for g in groups]
        self._square, self._moment = np.asarray(sum(self._squares)), np.asarray(sum(self._moments))

    def weights(self, penalty: float) -> Matrix:
        return _solved(self._square, self._moment, penalty)

    def unseen(self, penalty: float) -> Matrix:
        found = np.zeros_like(self._y)
        for group, own, its in zip(self._groups, self._squares, self._moments, strict=True):
            found[group] = self._x[group] @ _solved(self._square - own, self._moment - its, penalty)
        return found


class _DualRidge:
    """With no more rows than features, the products of rows with each other replace the squares."""

    def __init__(self, x: Matrix, y: Matrix, groups: list[Parts]) -> None:
        self._x, self._y, self._groups, self._square = x, y, groups, x @ x.T

    def weights(self, penalty: float) -> Matrix:
        return self._x.T @ _solved(self._square, self._y, penalty)

    def unseen(self, penalty: float) -> Matrix:
        found, every = np.zeros_like(self._y), np.arange(len(self._x))
        for group in self._groups:
            rest = np.setdiff1d(every, group, assume_unique=True)
            alone = _solved(self._square[np.ix_(rest, rest)], self._y[rest], penalty)
            found[group] = self._square[np.ix_(group, rest)] @ alone
        return found


def _sums(x: Matrix, y: Matrix, parts: Parts) -> _PrimalRidge | _DualRidge:
    groups = [np.flatnonzero(parts == part) for part in np.unique(parts)]
    return _PrimalRidge(x, y, groups) if len(x) > x.shape[1] else _DualRidge(x, y, groups)


def _solved(square: Matrix, moment: Matrix, penalty: float) -> Matrix:
    eye = np.eye(len(square), dtype=np.float32)
    return np.asarray(np.linalg.solve(square + np.float32(penalty) * eye, moment), np.float32)
