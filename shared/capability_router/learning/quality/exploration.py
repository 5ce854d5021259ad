"""Trying models of which too little is known: each is taken to be as good as one draw of what it may be."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from capability_router.learning.quality.model import Expected
from capability_router.learning.quality.words import Array

SCALE = 0.75  # of a standard error: below it the best of many models is lost sight of, above it trials cost more


class Dice(Protocol):
    """A seeded source of chance, as `clock.seeded` gives."""

    def gauss(self, mu: float, sigma: float) -> float: ...


def drawn_quality(expected: Expected, dice: Dice) -> Array:
    """The quality per model as it may be; what is well known is hardly changed."""
    chance = np.array([dice.gauss(0.0, 1.0) for _ in expected.quality])
    return np.asarray(expected.quality + SCALE * expected.error * chance)
