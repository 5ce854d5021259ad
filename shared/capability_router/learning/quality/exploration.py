"""Trying models of which too little is known: each is taken to be as good as it may well be.

What is added grows with a model's error alone. Models that are known alike well keep the order that the request puts
them in; a draw for each would shuffle them, which costs what is learned of requests and tells little.
"""

from __future__ import annotations

import math

import numpy as np

from capability_router.learning.quality.model import Expected
from capability_router.learning.quality.words import Array

WIDTH = 0.5  # of a standard error, times the root of the logarithm of the requests scored: nobody is left for good


def hopeful_quality(expected: Expected, scored: int) -> Array:
    """The quality per model as it may be, after so many scored requests; what is well known is hardly changed."""
    return np.asarray(expected.quality + WIDTH * math.sqrt(math.log(scored + 2)) * expected.error)
