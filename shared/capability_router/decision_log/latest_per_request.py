"""Keeps the latest value for each request, in whatever order values are read."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class LatestPerRequest(Generic[T]):
    """For at most `most` requests; beyond that, the one added first is dropped. `held`: by request.

    A value of a higher rank is never replaced by one of a lower rank.
    """

    def __init__(self, most: int) -> None:
        self.held: dict[str, T] = {}
        self._at: dict[str, tuple[int, float]] = {}
        self._most = most

    def take(self, id: str, at: float, value: T, rank: int = 0) -> int:
        """Add a value of the time `at`, Unix seconds, 0 = unknown. Returns how many others were dropped."""
        if id in self._at and (rank, at) < self._at[id]:
            return 0
        self.held[id], self._at[id] = value, (rank, at)
        if len(self.held) <= self._most:
            return 0
        first = next(iter(self.held))
        del self.held[first], self._at[first]
        return 1
