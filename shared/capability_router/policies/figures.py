"""The numbers behind a decision, by name, as a plan shows them; computed when they are read.

Without a decision log those of a request that is carried out are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import overload

from capability_router.policies.base import Terms
from capability_router.tuple_like import TupleLike


class Figures(TupleLike[tuple[str, float]]):
    """`make` gives them from what is settled when the request is judged: later, too, it gives the same."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Terms]) -> None:
        self._make = make
        self._made: Terms | None = None

    @overload
    def __getitem__(self, at: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, at: slice) -> Terms: ...
    def __getitem__(self, at: int | slice) -> tuple[str, float] | Terms:
        return self._all()[at]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self._all())

    def _all(self) -> Terms:
        if self._made is None:
            self._made = self._make()
        return self._made
