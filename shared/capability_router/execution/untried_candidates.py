"""The candidates of a request that were not tried yet, in the order of the plan.

They are read from the plan lazily: the plan creates a candidate when it is read, and most requests need one or two,
however many models there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from capability_router.plan import Candidate
from capability_router.policies.ranking import Ranking


class UntriedCandidates:
    """The untried candidates, best first. Iterate to see them, `remove` what is tried, `append` what may come last."""

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
        """Remove a candidate that is tried now. It must have been iterated over."""
        self._near.remove(candidate)

    def append(self, candidate: Candidate) -> None:
        """Add a candidate behind all others."""
        further = list(self._further)
        self._drawn += len(further)
        self._near += (*further, candidate)

    def usable(self, seen_to_hold: Collection[str]) -> bool:
        """Whether a candidate is left that was not held when the plan was made, and is not in `seen_to_hold` since.

        It creates no further candidates.
        """
        for candidate in self._near:
            if not candidate.held and candidate.id not in seen_to_hold:
                return True
        if isinstance(self._all, Ranking):
            return self._all.usable_from(self._drawn)
        return not all(candidate.held for candidate in islice(self._all, self._drawn, None))

    def _draws(self) -> bool:
        """Read one more candidate from the plan into `_near`; False = there is none."""
        for candidate in self._further:
            self._near.append(candidate)
            self._drawn += 1
            return True
        return False
