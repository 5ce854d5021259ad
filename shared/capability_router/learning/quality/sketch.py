"""Compact traits: what is kept of an answered request until its score comes, and as long as it teaches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.embedding import Meaning
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG, WORDS, Traits

Matrix = NDArray[np.float32]
_STEPS = 127.0


class Sketch(NamedTuple):
    """The indices of a bag's non-zero values, these in 127ths of the largest, the surface, the embedding."""

    places: NDArray[np.uint16]
    values: NDArray[np.int8]
    surface: Matrix
    meaning: Meaning | None = None


def sketch(seen: Traits) -> Sketch:
    """About a kilobyte. No word can be read from it. A reader who has a text can check whether it may be this one."""
    places = np.flatnonzero(seen.bag)
    kept = seen.bag[places]
    most = float(np.abs(kept).max(initial=0.0)) or 1.0
    values = np.rint(kept * (_STEPS / most)).astype(np.int8)
    return Sketch(places.astype(np.uint16), values, seen.surface.astype(np.float32), seen.meaning)


def unpacked(sketches: list[Sketch]) -> tuple[Matrix, Matrix]:
    """Bags, rows by BAG, words and labels normalised separately, and surfaces, rows by SIZE."""
    bags = np.zeros((len(sketches), BAG), np.float32)
    surfaces = np.zeros((len(sketches), SIZE), np.float32)
    for row, (places, values, surface, _) in enumerate(sketches):
        bags[row, places] = values
        surfaces[row] = surface
    return normalised(bags), surfaces


def normalised(bags: Matrix) -> Matrix:
    """Each row's words and labels with length 1; zeros stay zeros."""
    for part in (bags[:, :WORDS], bags[:, WORDS:]):
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
        part /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return bags
