"""What one request may spend: the caller's limit, and money that a store has lent for its next attempt."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.amounts import exact
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation
from capability_router.money.budget.denial import Denial
from capability_router.money.price import usd


class CostLimit:
    """`max_cost_usd` over all attempts of a request, in picodollars.

    `likely`: the likely cost of a call to a model; None = unknown. Eligibility checks the first attempt by the same
    cost.
    """

    def __init__(self, limit: int, likely: Callable[[str], int | None]) -> None:
        self._limit, self._likely = limit, likely
        self._spent: int | None = 0  # None: an attempt's cost is unknown
        self._open: dict[int, int] = {}

    def forbids(self, attempt: int, model: str) -> Denial | None:
        """The Denial if this attempt would exceed the limit.

        Else None, and its likely cost counts until it is `closed` or `release_attempt`.
        """
        self.release_attempt(attempt)
        likely, under_way = self._likely(model), sum(self._open.values())
        spent = self._spent
        if likely is not None and spent is not None and spent + under_way + likely <= self._limit:
            self._open[attempt] = likely
            return None
        left = max(self._limit - spent - under_way, 0) if spent is not None else 0
        told = "an unknown part" if spent is None else exact(usd(spent))
        costs = "of unknown price" if likely is None else f"for {exact(usd(likely))}"
        why = f"max_cost_usd {exact(usd(self._limit))}: {told} is spent by this request, a call {costs} is too much"
        return Denial("request", left, why, "degrade", "request", self._limit, spent, under_way)

    def release_attempt(self, attempt: int) -> None:
        """The attempt does not begin, at least not now."""
        self._open.pop(attempt, None)

    def closed(self, attempt: int, cost: int | None) -> None:
        """The attempt has ended. `cost`: in picodollars; None = unknown."""
        self.release_attempt(attempt)
        self._spent = None if cost is None or self._spent is None else self._spent + cost


class Loans:
    """Money borrowed for attempts that are about to start; given back if they do not."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._found: dict[int, Reservation | Denial] = {}
        self._over = False

    def borrow(self, attempt: int, short: FundsShortfall) -> None:
        """Borrow from the store and keep the result for `taken`."""
        self._found[attempt] = self._budgets.borrow(short)
        if self._over:  # the request has ended meanwhile
            self._give_back()

    def taken(self, attempt: int) -> Reservation | Denial | None:
        """The result for this attempt, and forget it; None = nothing was borrowed."""
        return self._found.pop(attempt, None) if self._found else None

    def release_loans(self) -> None:
        """The request needs nothing more."""
        self._over = True
        self._give_back()

    def _give_back(self) -> None:
        while self._found:
            try:
                _, found = self._found.popitem()
            except KeyError:  # the other thread was faster
                return
            if isinstance(found, Reservation):
                self._budgets.settle(found, 0)
