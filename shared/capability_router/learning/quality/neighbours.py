"""What happened to requests with the same words: a mean over the most similar ones, drawn towards nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix
from capability_router.learning.quality.traits import LABELS, WORDS

FOLDED = 512
KEY = FOLDED + LABELS
NUMBER, DRAW = 60, 4.0  # neighbours; similarity (squared cosines, summed) that nothing at all is worth
_LABELS_WEIGH = 0.5  # of a label in common, against all words in common
_BLOCK = 256


def keys(bags: Matrix) -> Matrix:
    """Rows by KEY: the words folded to 512 and of length 1, then the labels."""
    folded = bags[:, :WORDS].reshape(len(bags), -1, FOLDED).sum(1)
    lengths = np.sqrt(np.einsum("ij,ij->i", folded, folded))
    folded /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return np.hstack((folded, bags[:, WORDS:] * np.float32(_LABELS_WEIGH**0.5)))


def keys_of_meaning(meanings: Matrix, bags: Matrix) -> Matrix:
    """The same with embeddings, rows by FOLDED, in the words' place; a row of zeros has none."""
    lengths = np.sqrt(np.einsum("ij,ij->i", meanings, meanings))
    meant = meanings / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return np.hstack((meant, bags[:, WORDS:] * np.float32(_LABELS_WEIGH**0.5)), dtype=np.float32)


def nearest(known: Matrix, key: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """Rows of `known` that are the most similar, and their weights; both (60,) or fewer."""
    weights = known @ key
    if len(weights) > NUMBER:
        rows = np.argpartition(weights, -NUMBER)[-NUMBER:]
        weights = weights[rows]
    else:
        rows = np.arange(len(weights))
    return rows, np.square(np.maximum(weights, 0.0))


def drawn(weights: Matrix, values: Matrix, there: Matrix) -> Matrix:
    """Per column the weighted mean of the values that are there (1, else 0), as if nothing had been seen DRAW times."""
    return np.asarray((weights @ values) / (weights @ there + np.float32(DRAW)), np.float32)


def estimates(known: Matrix, values: Matrix, there: Matrix, asked: Matrix) -> Matrix:
    """For each row of `asked` what its neighbours among `known` come to; `values` are 0 where nothing is there."""
    found = np.empty((len(asked), values.shape[1]), np.float32)
    for start in range(0, len(asked), _BLOCK):
        similar = asked[start : start + _BLOCK] @ known.T
        for row, weights in enumerate(similar, start):
            rows = np.argpartition(weights, -NUMBER)[-NUMBER:] if len(weights) > NUMBER else slice(None)
            found[row] = drawn(np.square(np.maximum(weights[rows], 0.0)), values[rows], there[rows])
    return found
