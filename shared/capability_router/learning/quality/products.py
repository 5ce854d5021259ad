"""Multiplies a matrix by one vector, on the caller's own core.

BLAS divides such a product among its threads and waits for the last of them. That takes some 30 ms if other programs
keep the cores busy; one core takes less than 1 ms for 8,000 requests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Matrix

_FEW = 0.4  # of the columns


def products(rows: Matrix, vector: Matrix) -> Matrix:
    """(rows, n) times (n): (rows). Computed as a stack of products of two vectors, which BLAS does not divide."""
    return np.asarray((rows[:, None, :] @ vector[:, None])[:, 0, 0])


def sparse_products(columns: Matrix, vector: Matrix) -> Matrix:
    """The same of a matrix that is kept by column, as (n, rows): (rows).

    Memory is what limits it. Of a vector with few numbers, those columns alone are read; a copy of many takes longer
    than reading them all. Summed column by column, which no core rounds otherwise.
    """
    few = np.count_nonzero(vector) <= _FEW * len(vector)
    needed: NDArray[np.intp] | slice = np.flatnonzero(vector) if few else slice(None)
    return np.asarray(np.einsum("k,kn->n", vector[needed], columns[needed]))
