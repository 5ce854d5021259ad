"""Caps in memory over hours of calls, looks and clocks that are set: what was spent counts once, no cap is stuck."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial

LIMIT = 1_000  # picodollars
MIDNIGHT = 57_600.0  # by a manual clock
steps = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "call", "end", "end", "look", "fits", "settle up"]),
        st.sampled_from([0.0, 0.3, 1.0, 400.0, 700.0]),  # seconds since the step before
        st.sampled_from([0.0, 0.0, 0.0, -0.5, 0.5]),  # by which the wall clock is set
        st.integers(0, 3),  # whose call, or which
        st.integers(0, 400),
    ),
    min_size=8, max_size=40,
)  # fmt: skip


class Wound(ManualClock):
    """A clock of which the wall's part can be set."""

    by = 0.0

    def unix(self) -> float:
        return super().unix() + self.by


class Caps(Budgets):
    """For each tenant, as many of which were there before as are kept without a look for some to put away."""

    def __init__(self, window: str, before: int) -> None:
        self.clock = Wound(MIDNIGHT - 1.0)
        super().__init__([BudgetSpec("tenant:*", LIMIT / 1e12, window)], clock=self.clock)
        for each in range(before):
            self.settle(self.held(f"before {each}", 1), 1)

    def held(self, tenant: str, amount: int) -> Reservation:
        found = self.reserve([f"tenant:{tenant}"], amount)
        assert isinstance(found, Reservation)
        return found


def look(caps: Caps, what: str) -> None:
    if what == "look":
        caps.rows()
    elif what == "fits":
        caps.fits(["tenant:0"], 1)
    else:
        caps.sync_leases()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["total", "total", "day"]), st.sampled_from([0, 61, 62, 63]), steps)
def test_what_was_spent_counts_once_and_all_the_rest_can_be_spent(window: str, before: int, steps: Any) -> None:
    caps, spent, held = Caps(window, before), Counter[Any](), list[tuple[Any, Reservation]]()
    for what, seconds, by, which, amount in steps:
        caps.clock.advance(seconds)
        caps.clock.by += by
        day = int(caps.clock.unix() // 86_400) if window == "day" else 0
        if what == "call":
            found = caps.reserve([f"tenant:{which}"], amount)
            under_way = sum(hold.amount for whose, hold in held if whose == (which, day))
            assert isinstance(found, Reservation) == (spent[which, day] + under_way + amount <= LIMIT)
            held += [((which, day), found)] if isinstance(found, Reservation) else []
        elif what == "end" and held:
            whose, hold = held.pop(which % len(held))
            cost = min(hold.amount, amount)
            spent[whose] += cost
            caps.settle(hold, cost)
        else:
            look(caps, what)
    for whose, hold in held:
        spent[whose] += hold.amount
        caps.settle(hold, hold.amount)
    day = int(caps.clock.unix() // 86_400) if window == "day" else 0
    for tenant in range(4):
        caps.held(str(tenant), LIMIT - spent[tenant, day])
        assert isinstance(caps.reserve([f"tenant:{tenant}"], 1), Denial)
