"""The newest of what a log holds, where not all of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class NewestItems(Generic[T]):
    """At most `most` items by when they were, whatever the order in which they come; a tenth more are held meanwhile.

    `when` gives what they are sorted by, `dropped` is told each time how many were left out.
    """

    def __init__(self, most: int, when: Callable[[T], Any], dropped: Callable[[int], object]) -> None:
        self._most, self._when, self._dropped = most, when, dropped
        self._held: list[T] = []

    def take(self, item: T) -> None:
        """One more."""
        self._held.append(item)
        if len(self._held) > self._most + self._most // 10:
            self._thin()

    def kept(self) -> list[T]:
        """Those that stay, the oldest first."""
        self._thin()
        return self._held

    def _thin(self) -> None:
        self._held.sort(key=self._when)
        if (excess := len(self._held) - self._most) > 0:
            del self._held[:excess]
            self._dropped(excess)
