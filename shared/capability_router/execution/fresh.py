"""The candidates of a request that were not tried yet, in their order.

Those further down are not looked at before their turn: a plan makes a candidate when somebody looks at it, and most
requests need one or two, however many models there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from capability_router.plan import Candidate


class Fresh:
    """`remove` takes one that was come by; `append` puts one behind all others."""

    __slots__ = ("_further", "_near")

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._near: list[Candidate] = []
        self._further = iter(candidates)

    def __iter__(self) -> Iterator[Candidate]:
        near, at = self._near, 0
        while at < len(near) or self._draws():
            yield near[at]
            at += 1

    def __bool__(self) -> bool:
        return bool(self._near) or self._draws()

    def remove(self, candidate: Candidate) -> None:
        """It is tried now."""
        self._near.remove(candidate)

    def append(self, candidate: Candidate) -> None:
        """It may be tried after all, once the others were."""
        self._near.extend(self._further)
        self._near.append(candidate)

    def _draws(self) -> bool:
        """Whether there is a further one, which is then near."""
        for candidate in self._further:
            self._near.append(candidate)
            return True
        return False
