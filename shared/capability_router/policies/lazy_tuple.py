"""Sequences that make their items when they are read, and pass for a tuple.

The numbers, terms and remarks of a plan are never read while its request is carried out, unless there is a decision
log or a tracer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T")


class TupleLike(Sequence[T]):
    """Equal to a tuple of the same items, with the same repr. Threads may read it: what two of them make is equal."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (TupleLike, tuple)) else NotImplemented

    def __add__(self, more: object) -> tuple[Any, ...]:
        return tuple(self) + tuple(more) if isinstance(more, (TupleLike, tuple)) else NotImplemented

    def __radd__(self, before: object) -> tuple[Any, ...]:
        return before + tuple(self) if isinstance(before, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are plain tuples."""
        return tuple, (tuple(self),)


class LazyTuple(TupleLike[T]):
    """All items come from one call of `make`, which must give equal items whenever it is called."""

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
