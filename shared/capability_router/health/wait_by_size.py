"""How the wait for a first token grows with the input: the straight line through a model's recent waits."""

from __future__ import annotations

_SAME = 1e-6  # of the mean square: inputs whose sizes differ by less tell nothing of a slope


class WaitBySize:
    """By running means, in which each new sample weighs what it is given. Pure; sizes in tokens, waits in seconds."""

    __slots__ = ("_product", "_square", "_tokens", "_wait")

    def __init__(self) -> None:
        self._tokens = self._wait = self._square = self._product = 0.0

    def take(self, tokens: int, wait_s: float, weight: float) -> None:
        """One more sample."""
        self._tokens += (tokens - self._tokens) * weight
        self._wait += (wait_s - self._wait) * weight
        self._square += (tokens * tokens - self._square) * weight
        self._product += (tokens * wait_s - self._product) * weight

    def slope(self, prior: float = 0.0, worth: float = 0.0) -> float:
        """Seconds per token, 0 or more. `prior` counts as much as sizes that are spread by `worth` (tokens squared)."""
        spread = self._square - self._tokens * self._tokens
        weight = spread + worth if spread > 0.0 else worth
        if weight <= _SAME * self._square:
            return prior
        slope = (self._product - self._tokens * self._wait + worth * prior) / weight
        return slope if slope > 0.0 else 0.0

    def at(self, tokens: float) -> float:
        """Seconds: more for more tokens or the same, and no less than nothing."""
        return max(self._wait + self.slope() * (tokens - self._tokens), 0.0)
