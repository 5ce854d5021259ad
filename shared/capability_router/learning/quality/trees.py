"""How the known numbers of a request interact: trees that split requests by one number at a time.

A linear model adds up what each number says. A tree can learn that neighbours say much about one kind of request and
nothing about another. It predicts the mean of the requests in the same leaf, shrunk towards zero. The mean of many
trees, each grown from other requests, is more stable than one tree. The predictions of the other sources are inputs of
a tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix

TREES, DEPTH = 64, 6
LEAVES = 2**DEPTH
LEAST = 200  # with fewer requests no trees are grown
_TRIES, _LEAST_OF_HALF = 16, 10  # splits that are compared; requests that either side must hold
_OF_ALL, _HALVED_BY = 0.63, 1_000  # share of the requests that a tree is grown from; most that choose its splits
_ALONG = 3  # directions, drawn anew for each tree, along which halves are to differ
_DRAW = 10.0  # each leaf's mean also gets this many zeros
_NEVER = np.finfo(np.float32).max
_DECIMALS = 4  # of the numbers that trees are grown from: the rest differs from machine to machine
_Places = NDArray[np.intp]
_Draws = NDArray[np.float64]


class Trees(NamedTuple):
    """`asks` (trees, LEAVES): the number that each node compares; `cuts` likewise: a larger value goes right.

    The root is node 1; below node n are 2n and 2n + 1. `leaves` (trees, LEAVES, 1 + models): each leaf's prediction.
    """

    asks: _Places
    cuts: Matrix
    leaves: Matrix

    def of(self, numbers: Matrix) -> Matrix:
        """The prediction for one request's numbers: (1 + models), zeros without trees."""
        if not len(self.asks):
            return np.zeros(self.leaves.shape[2], np.float32)
        trees = np.arange(len(self.asks)) * LEAVES
        node = np.ones(len(trees), np.intp)
        asks, cuts, numbers = self.asks.ravel(), self.cuts.ravel(), numbers.round(_DECIMALS)  # as the cuts were drawn
        for _ in range(DEPTH):
            here = trees + node
            node = 2 * node + (numbers.take(asks.take(here)) > cuts.take(here))
        found = self.leaves.reshape(-1, self.leaves.shape[2]).take(trees + node - LEAVES, axis=0)
        return np.asarray(found.sum(0) / np.float32(len(trees)), np.float32)


def no_trees(columns: int) -> Trees:
    """Predict nothing for this many columns."""
    return Trees(
        np.zeros((0, LEAVES), np.intp), np.zeros((0, LEAVES), np.float32), np.zeros((0, LEAVES, columns), np.float32)
    )


def grown(numbers: Matrix, values: Matrix, there: Matrix) -> tuple[Trees, Matrix]:
    """From rows' numbers (rows, any) and values (rows, columns), 0 = unknown; also returns out-of-sample
    predictions.

    Each row is predicted by the trees that were not grown from it. The same rows give the same trees.
    """
    if len(numbers) < LEAST:
        return no_trees(values.shape[1]), np.zeros_like(values)
    columns = np.ascontiguousarray(numbers.T, np.float32).round(_DECIMALS)
    told = np.hstack((values, there)).astype(np.float32)
    unseen, count = np.zeros(values.shape, np.float32), np.zeros((len(numbers), 1), np.float32)
    made = []
    for tree in range(TREES):
        dice = np.random.default_rng((len(numbers), tree))
        order = dice.permutation(len(numbers))
        inside, outside = np.split(order, [int(_OF_ALL * len(order))])
        asks, cuts = _grow_tree(
            columns[:, inside[:_HALVED_BY]], _random_projection(values[inside[:_HALVED_BY]], dice), dice
        )
        leaf = _leaf(columns, asks, cuts)
        worth = _means(told[inside], leaf[inside])
        unseen[outside] += worth[leaf[outside]]
        count[outside] += 1.0
        made.append((asks, cuts, worth))
    made_of = (np.stack(each) for each in zip(*made, strict=True))
    return Trees(*made_of), np.asarray(unseen / np.maximum(count, 1.0), np.float32)


def _random_projection(values: Matrix, dice: np.random.Generator) -> Matrix:
    """A column of ones, then the values along a few directions: splitting by all models would take many times as
    long.
    """
    drawn = dice.standard_normal((values.shape[1], _ALONG)) if values.shape[1] > _ALONG else np.eye(values.shape[1])
    return np.hstack((np.ones((len(values), 1)), values @ drawn)).astype(np.float32)


def _grow_tree(columns: Matrix, along: Matrix, dice: np.random.Generator) -> tuple[_Places, Matrix]:
    """A tree's `asks` and `cuts`. `columns` (numbers, rows); a node without a useful split sends all to the left."""
    asks, cuts = np.zeros(LEAVES, np.intp), np.full(LEAVES, _NEVER, np.float32)
    node = np.ones(columns.shape[1], np.intp)
    for depth in range(DEPTH):
        order = np.argsort(node, kind="stable")
        nodes, starts, own = np.unique(node[order], return_index=True, return_inverse=True)
        # Drawn for every node that may be at this depth: one more or fewer changes no other node, nor what is below.
        every, places = (_TRIES, 2**depth), nodes - 2**depth
        asked = dice.integers(0, len(columns), every)[:, places]
        between = _between(columns, order, starts, asked, dice.random((3, *every))[:, :, places])
        right = columns[asked[:, own], order] > between[:, own]
        best, better = _best(right, along[order], starts)
        chosen = best, np.arange(len(nodes))
        asks[nodes] = np.where(better, asked[chosen], 0)
        cuts[nodes] = np.where(better, between[chosen], _NEVER)
        node = _below(columns, node, asks, cuts)
    return asks, cuts


def _between(columns: Matrix, order: _Places, starts: _Places, asked: _Places, drawn: _Draws) -> Matrix:
    """Cuts between two random rows of each node; (tries, nodes), by numbers `drawn` (3, tries, nodes) from 0 to 1."""
    count = np.diff(np.append(starts, len(order)))
    one, other = (columns[asked, order[starts + (each * count).astype(np.intp)]] for each in drawn[:2])
    return np.asarray(one + (other - one) * drawn[2], np.float32)


def _best(right: NDArray[np.bool_], along: Matrix, starts: _Places) -> tuple[_Places, NDArray[np.bool_]]:
    """The most informative split of each node, and whether any is allowed. `right` (tries, rows)."""
    whole = np.add.reduceat(along, starts, axis=0)
    rights = np.add.reduceat(right[:, :, None] * along, starts, axis=1)
    lefts = whole - rights
    told = _told(lefts) + _told(rights)
    told[np.minimum(lefts[..., 0], rights[..., 0]) < _LEAST_OF_HALF] = -1.0
    best = told.argmax(0)
    return best, told[best, np.arange(len(starts))] > _told(whole)


def _told(sums: Matrix) -> Matrix:
    """From sums, the count first: the squares that their mean explains."""
    return np.asarray(np.square(sums[..., 1:]).sum(-1) / np.maximum(sums[..., 0], 1.0))


def _below(columns: Matrix, node: _Places, asks: _Places, cuts: Matrix) -> _Places:
    return np.asarray(2 * node + (columns[asks[node], np.arange(len(node))] > cuts[node]), np.intp)


def _leaf(columns: Matrix, asks: _Places, cuts: Matrix) -> _Places:
    node = np.ones(columns.shape[1], np.intp)
    for _ in range(DEPTH):
        node = _below(columns, node, asks, cuts)
    return np.asarray(node - LEAVES, np.intp)


def _means(told: Matrix, leaf: _Places) -> Matrix:
    """Per leaf and column the mean of known values, shrunk towards zero."""
    order = np.argsort(leaf, kind="stable")
    leaves, starts = np.unique(leaf[order], return_index=True)
    values, there = np.split(np.add.reduceat(told[order], starts, axis=0), 2, axis=1)
    means = np.zeros((LEAVES, values.shape[1]), np.float32)
    means[leaves] = values / (there + np.float32(_DRAW))
    return means
