"""What one request may spend: the limit that its caller set, and what a store has lent for its next launch."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.amounts import exact
from capability_router.money.budget.budgets import Budgets, Reservation, Short
from capability_router.money.budget.denial import Denial
from capability_router.money.price import usd


class Limit:
    """`max_cost_usd` over all attempts of a request. `likely`: what a call to a model comes to; None = unknown.

    The first attempt has been judged by eligibility, by the same measure.
    """

    def __init__(self, limit: int, likely: Callable[[str], int | None]) -> None:
        self._limit, self._likely = limit, likely
        self._spent: int | None = 0  # None: an attempt's cost is unknown
        self._open: dict[int, int] = {}

    def forbids(self, attempt: int, model: str) -> Denial | None:
        """Whether a further attempt would go above the limit; else it is counted until it is closed."""
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

    def closed(self, attempt: int, cost: int | None) -> None:
        """An attempt has ended and cost so much; None = unknown."""
        self._open.pop(attempt, None)
        self._spent = None if cost is None or self._spent is None else self._spent + cost


class Loans:
    """What `borrow` has got for launches that are about to be made; given back if they are not."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._found: dict[int, Reservation | Denial] = {}
        self._over = False

    def borrow(self, attempt: int, short: Short) -> None:
        """Ask the store; its answer waits for `taken`."""
        self._found[attempt] = self._budgets.borrow(short)
        if self._over:  # the request was given up meanwhile
            self._give_back()

    def taken(self, attempt: int) -> Reservation | Denial | None:
        """The answer for this launch, once."""
        return self._found.pop(attempt, None) if self._found else None

    def forgo(self) -> None:
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
