"""The candidates of a request that were not tried yet, in their order.

Those further down are not looked at before their turn: a plan makes a candidate when somebody looks at it, and most
requests need one or two, however many models there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from capability_router.plan import Candidate
from capability_router.policies.ranking import Ranking


class Fresh:
    """`remove` takes one that was come by; `append` puts one behind all others."""

    __slots__ = ("_all", "_drawn", "_further", "_near")

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._near: list[Candidate] = []
        self._all, self._further, self._drawn = candidates, iter(candidates), 0

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
        further = list(self._further)
        self._drawn += len(further)
        self._near += (*further, candidate)

    def usable(self, seen_to_hold: Collection[str]) -> bool:
        """Whether there is one that nothing holds, neither when the plan was made nor as was seen since.

        Those further down are not made for that.
        """
        for candidate in self._near:
            if not candidate.held and candidate.id not in seen_to_hold:
                return True
        if isinstance(self._all, Ranking):
            return self._all.usable_from(self._drawn)
        return not all(candidate.held for candidate in islice(self._all, self._drawn, None))

    def _draws(self) -> bool:
        """Whether there is a further one, which is then near."""
        for candidate in self._further:
            self._near.append(candidate)
            self._drawn += 1
            return True
        return False
