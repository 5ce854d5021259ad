"""What a plan tells of a decision beside the order, computed when it is read.

Numbers, terms and remarks of a request that is carried out are never read, unless there is a decision log or a tracer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, overload

from capability_router.tuple_like import TupleLike

T = TypeVar("T")


class Later(TupleLike[T]):
    """`make` gives them from what is settled when the request is judged: later, too, it gives the same."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], tuple[T, ...]]) -> None:
        self._make = make
        self._made: tuple[T, ...] | None = None

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        return self._all()[at]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[T]:
        return iter(self._all())

    def _all(self) -> tuple[T, ...]:
        if self._made is None:
            self._made = self._make()
        return self._made
