"""Admission of launches: the health board must admit the target, and the budgets must have the money for it."""

from __future__ import annotations

from functools import partial

from capability_router.execution.bookkeeper import Bookkeeper
from capability_router.execution.effects import Fund
from capability_router.execution.target_selector import AdmittedTarget, TargetSelector, TargetWait
from capability_router.money.budget.budgets import FundsShortfall


class Admission:
    """The targets of one request, without those that a budget forbids.

    If a store must lend the money for a target, the method returns Fund and keeps the target with its permit. The
    driver performs the Fund; then the same method is called again and returns the target.
    """

    __slots__ = ("_books", "_kept", "_targets")

    def __init__(self, targets: TargetSelector, books: Bookkeeper) -> None:
        self._targets, self._books = targets, books
        self._kept: AdmittedTarget | None = None

    @property
    def asking(self) -> bool:
        """Whether a store is being asked for the money of a target."""
        return self._kept is not None

    def pick(self, at: float, latest: float, number: int) -> AdmittedTarget | TargetWait | Fund:
        """The next target, for the launch with this number; see `TargetSelector.pick`."""
        pick, self._kept = self._kept or self._targets.pick(at, latest), None
        while isinstance(pick, AdmittedTarget):
            found = self._opened(pick, at, number)
            if found is not None:
                return found
            pick = self._targets.pick(at, latest)
        return pick

    def beyond_learned_limit(self, at: float, number: int) -> AdmittedTarget | Fund | None:
        """A target that is full by its learned limit, if the money is there; see `TargetSelector`'s."""
        while (pick := self._targets.beyond_learned_limit(at)) is not None:
            found = self._opened(pick, at, number)
            if found is not None:
                self._targets.leave()  # until then its place in the queue counts at each of them
                return found
        return None

    def beside(self, pick: AdmittedTarget | None, at: float, number: int) -> AdmittedTarget | None:
        """The target for a hedge, if its money need not be borrowed first; else None."""
        found = None if pick is None else self._opened(pick, at, number)
        if pick is None or not isinstance(found, Fund):
            return pick if found is pick else None
        self._kept = None
        self._targets.returned(pick, at)
        return None

    def leave(self, at: float) -> None:
        """The request is over: leave the queue, and give back the kept target and the money lent for it."""
        self._targets.leave()
        kept, self._kept = self._kept, None
        if kept is not None:
            self._books.release_loans()
            self._targets.returned(kept, at)

    def _opened(self, pick: AdmittedTarget, at: float, number: int) -> AdmittedTarget | Fund | None:
        try:
            denial = self._books.open(number, pick.candidate)
        except BaseException:  # Ctrl-C too: whatever ended it, the model has its place back, and the error goes on
            self._targets.returned(pick, at)
            raise
        if denial is None:
            return pick
        if isinstance(denial, FundsShortfall):
            self._kept = pick
            return Fund(partial(self._books.borrow, number, denial))
        self._targets.denied(pick, denial, at)
        return None
