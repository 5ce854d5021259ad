"""Admission of launches: the gate admits the target, and the budgets have the money for it."""

from __future__ import annotations

from functools import partial

from capability_router.execution.bookkeeper import Bookkeeper
from capability_router.execution.effects import Fund
from capability_router.execution.targets import Pick, Targets, Wait
from capability_router.money.budget.budgets import Short


class Admission:
    """The targets of one request, less those that a budget forbids.

    A pick whose money a store has to lend is kept, with its permit, until the same question is put again after
    the driver has performed the Fund that it gave.
    """

    __slots__ = ("_books", "_kept", "_targets")

    def __init__(self, targets: Targets, books: Bookkeeper) -> None:
        self._targets, self._books = targets, books
        self._kept: Pick | None = None

    def pick(self, at: float, number: int) -> Pick | Wait | Fund:
        """The next target, for the launch of this number; see `Targets.pick`."""
        pick, self._kept = self._kept or self._targets.pick(at), None
        while isinstance(pick, Pick):
            found = self._opened(pick, at, number)
            if found is not None:
                return found
            pick = self._targets.pick(at)
        return pick

    def over(self, at: float, number: int) -> Pick | Fund | None:
        """A target beyond what was learned of its limits, if the money is there."""
        pick = self._targets.over(at)
        return None if pick is None else self._opened(pick, at, number)

    def beside(self, pick: Pick | None, at: float, number: int) -> Pick | None:
        """A target for a hedge, if the money is at hand."""
        found = None if pick is None else self._opened(pick, at, number)
        if pick is None or not isinstance(found, Fund):
            return pick if found is pick else None
        self._kept = None
        self._targets.returned(pick, at)
        return None

    def leave(self, at: float) -> None:
        """The request is over: leave the queue, give back the pick that is kept and what was lent for it."""
        self._targets.leave()
        kept, self._kept = self._kept, None
        if kept is not None:
            self._books.forgo()
            self._targets.returned(kept, at)

    def _opened(self, pick: Pick, at: float, number: int) -> Pick | Fund | None:
        denial = self._books.open(number, pick.candidate)
        if denial is None:
            return pick
        if isinstance(denial, Short):
            self._kept = pick
            return Fund(partial(self._books.borrow, number, denial))
        self._targets.denied(pick.permit, pick.candidate, denial, at)
        return None
