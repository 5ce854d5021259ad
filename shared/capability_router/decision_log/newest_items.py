"""Keeps the newest items of a log that is too large to be kept whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class NewestItems(Generic[T]):
    """At most `most` items, newest by `when`, in whatever order they come; a tenth more are held between clean-ups.

    `when` gives the sort key; `dropped` is called with the number of items that were left out.
    """

    def __init__(self, most: int, when: Callable[[T], Any], dropped: Callable[[int], object]) -> None:
        self._most, self._when, self._dropped = most, when, dropped
        self._held: list[T] = []

    def take(self, item: T) -> None:
        """Add an item."""
        self._held.append(item)
        if len(self._held) > self._most + self._most // 10:
            self._thin()

    def kept(self) -> list[T]:
        """The kept items, oldest first."""
        self._thin()
        return self._held

    def _thin(self) -> None:
        self._held.sort(key=self._when)
        if (excess := len(self._held) - self._most) > 0:
            del self._held[:excess]
            self._dropped(excess)
