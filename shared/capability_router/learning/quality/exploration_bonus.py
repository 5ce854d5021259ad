"""How much better than predicted a model may be: the reason to explore it.

Of a model, only the error of its prediction counts. Models with equal errors keep the order that the request gives
them. A random draw for each would shuffle them: it would lose what is known of requests and teach little.
"""

from __future__ import annotations

import math

WIDTH = 0.8  # of a standard error, times sqrt(log(scored requests / scores that the model is known by))
ONE = 0.2  # the variance of one score; divided by a model's error variance: the scores that it is known by
AGAIN = 0.1  # share of the variance that a changed model may have gained since; in full it is explored too much


def exploration_bonus(variance: float, scored: int, unseen: float = 0.0) -> float:
    """In quality points, for a model with this error variance, after this many scored requests.

    It falls faster than the error, to zero for a model that got nearly all requests. It grows while other models are
    asked, so that no model is left out for ever. `unseen`: the variance that it may have gained by changing again, if
    it changed lately.
    """
    wide = variance + AGAIN * unseen
    per_score = (scored + 2) * wide / ONE
    return WIDTH * math.sqrt(math.log(per_score) * wide) if per_score > 1.0 else 0.0
