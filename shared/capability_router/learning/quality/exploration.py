"""How much better than believed a model may well be, which is what it is tried for.

That grows with its error alone. Models that are known alike well keep the order that the request puts them in; a draw
for each would shuffle them, which costs what is learned of requests and tells little.
"""

from __future__ import annotations

import math

WIDTH = 0.5  # of a standard error, times the root of the logarithm of the requests scored: nobody is left for good
AGAIN = 0.1  # of the variance that a model may have gained unseen, once it has changed: in full it is tried too much


def hope(variance: float, scored: int, unseen: float = 0.0) -> float:
    """In quality points, of a model of such a variance, after so many scored requests.

    `unseen`: what it may have gained by changing again, if it has changed lately.
    """
    return WIDTH * math.sqrt(math.log(scored + 2) * (variance + AGAIN * unseen))
