"""A compact embedding: folded to 512 numbers in 127ths of the largest, whatever its own size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MEANING = 512
_STEPS = 127.0
_MIXER = np.uint64(0x9E3779B97F4A7C15)

Meaning = NDArray[np.int8]


class Origin(NamedTuple):
    """The embedder that the embeddings are from, and the size of its vectors; "" = there are none, 0 = unknown."""

    name: str = ""
    size: int = 0


def folded(vector: Sequence[float]) -> Meaning:
    """Angles between embeddings stay nearly the same. Raises ValueError for anything but a vector of numbers."""
    numbers = np.asarray(vector, np.float64)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError("an embedding is no list of numbers")
    signs = np.where((np.arange(numbers.size, dtype=np.uint64) * _MIXER) >> np.uint64(63), -1.0, 1.0)
    signed = np.where(np.arange(numbers.size) < MEANING, numbers, signs * numbers)
    whole = np.pad(signed, (0, -numbers.size % MEANING)).reshape(-1, MEANING).sum(0)
    most = float(np.abs(whole).max())
    return np.asarray(np.rint(whole * (_STEPS / most) if most else whole), np.int8)
