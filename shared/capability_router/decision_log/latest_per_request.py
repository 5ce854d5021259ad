"""What was told of requests more than once, in whatever order it is read: of each request what was told last."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class LatestPerRequest(Generic[T]):
    """Of at most `most` requests; beyond, those that came first go. `held`: by request."""

    def __init__(self, most: int) -> None:
        self.held: dict[str, T] = {}
        self._at: dict[str, float] = {}
        self._most = most

    def take(self, id: str, at: float, value: T) -> int:
        """Told at `at`, Unix seconds, 0 = unknown. How many others had to go."""
        if at < self._at.get(id, 0.0):
            return 0
        self.held[id], self._at[id] = value, at
        if len(self.held) <= self._most:
            return 0
        first = next(iter(self.held))
        del self.held[first], self._at[first]
        return 1
