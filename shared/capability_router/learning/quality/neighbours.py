"""The results of similar requests: a mean over the most similar ones, shrunk towards zero.

There are two means. For one, similar requests have the same words. For the other they also have the same form: length,
punctuation, layout. A program that writes requests of one kind writes them in one form, whatever their subject.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix
from capability_router.learning.quality.traits import LABELS, WORDS

FOLDED = 512
KEY = FOLDED + LABELS
NUMBER, DRAW = 60, 4.0  # neighbours; weight (squared cosines, summed) of the zeros that means are shrunk by
_LABELS_WEIGH = 0.5  # similarity by equal labels; by equal words it is 1
_EQUAL = np.float32(1e-5)  # similarities that differ by less are equal: a core's way of adding differs by 1e-6
_EQUALS = 200  # of more equals each second, third, ... counts: a request is compared while it waits
_BLOCK = 256
_MANY, _EACH, _OF_THEM = 1_000, 16, 12  # 12 in each 16th are 192 of all, give or take 50


def keys(bags: Matrix) -> Matrix:
    """Rows by KEY: the words folded to 512 and normalised, then the labels."""
    folded = bags[:, :WORDS].reshape(len(bags), -1, FOLDED).sum(1)
    lengths = np.sqrt(np.einsum("ij,ij->i", folded, folded))
    folded /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return np.hstack((folded, bags[:, WORDS:] * np.float32(_LABELS_WEIGH**0.5)))


def keys_of_meaning(meanings: Matrix, bags: Matrix) -> Matrix:
    """The same with embeddings, rows by FOLDED, instead of words; a row of zeros has none."""
    lengths = np.sqrt(np.einsum("ij,ij->i", meanings, meanings))
    meant = meanings / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return np.hstack((meant, bags[:, WORDS:] * np.float32(_LABELS_WEIGH**0.5)), dtype=np.float32)


def combined_similarity(similar: Matrix, forms: Matrix) -> Matrix:
    """Similarities by words and by form, combined with equal weight."""
    return np.asarray((similar + forms) * np.float32(0.5), np.float32)


def nearest(similar: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """From similarities (rows) the indices of the largest NUMBER, and their weights.

    Equals share the last places, so there may be more rows: which one a sort puts first depends on the machine. Rows
    without likeness may be left out.
    """
    rows = _above(similar) if len(similar) > _MANY else np.arange(len(similar))
    found = similar[rows]
    weights = np.square(np.maximum(found, 0.0))
    if len(rows) <= NUMBER:
        return rows, weights
    last = np.partition(found, -NUMBER)[-NUMBER]
    if last <= _EQUAL:  # the rest have nothing in common with the request
        kept = np.flatnonzero(found > 0.0)
        return rows[kept], weights[kept]
    above, equal = np.flatnonzero(found > last + _EQUAL), np.flatnonzero(np.abs(found - last) <= _EQUAL)
    equal = equal[:: max(len(equal) // _EQUALS, 1)]
    weights[equal] *= np.float32((NUMBER - len(above)) / len(equal))
    kept = np.concatenate((above, equal))
    return rows[kept], weights[kept]


def _above(similar: Matrix) -> NDArray[np.intp]:
    """The indices of the largest NUMBER and some more: those above a bound that a sixteenth of all gives."""
    some = similar[::_EACH]
    rows = np.flatnonzero(similar >= np.partition(some, -_OF_THEM)[-_OF_THEM] - 2 * _EQUAL)
    return rows if len(rows) >= NUMBER else np.arange(len(similar))


def drawn(weights: Matrix, values: Matrix, there: Matrix) -> Matrix:
    """Per column the weighted mean of the known values (`there` 1, else 0), shrunk by zeros of weight DRAW."""
    return np.asarray((weights @ values) / (weights @ there + np.float32(DRAW)), np.float32)


class Sides(NamedTuple):
    """The two ways of comparing requests: `keys` (rows, KEY) and `forms` (rows, numbers of a form)."""

    keys: Matrix
    forms: Matrix

    def rows(self, which: NDArray[np.bool_] | slice) -> Sides:
        """A selection of rows."""
        return Sides(self.keys[which], self.forms[which])


def estimates(known: Sides, values: Matrix, there: Matrix, asked: Sides) -> tuple[Matrix, Matrix]:
    """The neighbours' results for asked rows, by words and with form; `values` are 0 where unknown."""
    by_words, by_form = (np.empty((len(asked.keys), values.shape[1]), np.float32) for _ in range(2))
    for start in range(0, len(asked.keys), _BLOCK):
        block = asked.rows(slice(start, start + _BLOCK))
        similar = block.keys @ known.keys.T
        _means(similar, values, there, by_words[start:])
        _means(combined_similarity(similar, block.forms @ known.forms.T), values, there, by_form[start:])
    return by_words, by_form


def _means(similar: Matrix, values: Matrix, there: Matrix, into: Matrix) -> None:
    for row, its in enumerate(similar):
        rows, weights = nearest(its)
        into[row] = drawn(weights, values[rows], there[rows])
