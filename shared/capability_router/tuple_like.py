"""Sequences that build their items when they are read, and that pass for a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class TupleLike(Sequence[T]):
    """Equal to a tuple of the same items, and told as one. Threads may read it: what two of them make is equal."""

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
        """Copied, or sent elsewhere, as the items alone."""
        return tuple, (tuple(self),)
