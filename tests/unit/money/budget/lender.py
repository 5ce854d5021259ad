"""A room that several budgets share, in memory, with its moods and its clock in the test's hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capability_router import StoreError
from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation, StoreTerms
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import BudgetEvent, Denial
from capability_router.stores.base import BudgetBalance, LeaseClaim, LeaseGrant
from capability_router.stores.memory import MemoryBudgets

ONE = 10**12


class Lender:
    """Lends to all who ask as a server does. `before`, `after`: what happens while a claim is on its way."""

    inline = False

    def __init__(self, clock: ManualClock) -> None:
        self.ahead, self.away = 0.0, False
        self.claims: list[LeaseClaim] = []
        self.read: list[list[str]] = []
        self.before: Callable[[], object] = _nothing
        self.after: Callable[[], object] = _nothing
        self._room = MemoryBudgets(lambda: clock.unix() + self.ahead)

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        self.claims.append(claim)
        self.before()
        if self.away:
            raise StoreError("no answer")
        grant = self._room.claim(claim)
        self.after()
        return grant

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        self.read.append(list(budgets))
        return self._room.standings(self.read[-1])

    def once(self, happens: Callable[[], object]) -> Callable[[], None]:
        """For `before` or `after`: the first time only."""

        def then() -> None:
            self.before = self.after = _nothing
            happens()

        return then


def _nothing() -> None: ...


class Process(Budgets):
    """Budgets of one process that shares a lender with others."""

    def __init__(self, lender: Lender, clock: ManualClock, *specs: BudgetSpec, terms: StoreTerms | None = None) -> None:
        super().__init__(specs or [BudgetSpec("global", 1.0, "day")], room=lender, clock=clock, terms=terms)
        self.heard: list[BudgetEvent] = []
        self.on_event(self.heard.append)

    def held(self, amount: int, *scopes: str) -> Reservation:
        """A hold, which there must be."""
        found = self.got(amount, *scopes)
        assert isinstance(found, Reservation)
        return found

    def got(self, amount: int, *scopes: str) -> Reservation | Denial:
        """Reserve, and borrow where that takes it."""
        found = self.reserve(scopes or ["global"], amount)
        return self.borrow(found) if isinstance(found, FundsShortfall) else found

    def spend(self, amount: int, *scopes: str) -> bool:
        """Reserve and settle; whether that was allowed."""
        found = self.got(amount, *scopes)
        if isinstance(found, Reservation):
            self.settle(found, amount)
        return isinstance(found, Reservation)
