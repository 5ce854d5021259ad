"""Caps in one process, under a clock that the test moves."""

from __future__ import annotations

from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial

ONE = 10**12


class Caps(Budgets):
    """Budgets in memory under a clock that the test moves; `spend` reserves and settles."""

    def __init__(self, *specs: BudgetSpec, **options: object) -> None:
        self.clock = ManualClock()
        super().__init__(specs, clock=self.clock, **options)  # type: ignore[arg-type]

    def spend(self, scopes: list[str], amount: int, cost: int | None = None) -> bool:
        hold = self.reserve(scopes, amount)
        if isinstance(hold, Reservation):
            self.settle(hold, amount if cost is None else cost)
        return isinstance(hold, Reservation)


def denial(budgets: Budgets, scopes: list[str], amount: int | None) -> Denial:
    found = budgets.reserve(scopes, amount)
    assert isinstance(found, Denial)
    return found
