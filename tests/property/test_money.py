"""Any order of calls, endings, times and processes: no cap is passed, and every sum is the sum of its calls."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.money.budget.lender import Lender, Process
from unit.money.ledger.calls import T0, call

from capability_router import Usage
from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.window import span
from capability_router.money.ledger.call import LaunchKey
from capability_router.money.ledger.ledger import Ledger

LIMIT = 1_000
CAP = LIMIT / 10**12
SPECS = [BudgetSpec("global", 2 * CAP), BudgetSpec("tenant:*", CAP, "day"), BudgetSpec("tag:x", CAP / 2)]
SCOPES = (["global", "tenant:a"], ["global", "tenant:b", "tag:x"], ["global", "tenant:a", "tag:x", "tag:x"])
LIMITS = {"global": 2 * LIMIT, "tenant:a": LIMIT, "tenant:b": LIMIT, "tag:x": LIMIT // 2}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 1), st.sampled_from(SCOPES), st.integers(0, 600)),
        st.tuples(st.just("settle"), st.integers(0, 5), st.floats(0, 1), st.booleans()),
        st.tuples(st.just("tell"), st.integers(0, 1), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 2.0, 15.0])),
    ),
    min_size=10,
    max_size=40,
)


class World:
    """What two processes, or one by itself, have spent and hold, counted beside them."""

    def __init__(self, shared: bool) -> None:
        self.clock = ManualClock()
        lender = Lender(self.clock)
        alone = Budgets(SPECS, clock=self.clock)
        self.budgets: list[Budgets] = [Process(lender, self.clock, *SPECS) for _ in "12"] if shared else [alone, alone]
        self.open: list[tuple[Budgets, Reservation, set[str], int]] = []
        self.closed: list[tuple[Budgets, Reservation]] = []
        self.spent: Counter[str] = Counter()

    def reserve(self, who: int, scopes: list[str], amount: int) -> None:
        budgets = self.budgets[who]
        found = budgets.reserve(scopes, amount)
        found = budgets.borrow(found) if isinstance(found, FundsShortfall) else found
        if isinstance(found, Reservation):
            self.open.append((budgets, found, set(scopes), amount))

    def settle(self, which: int, share: float, again: bool) -> None:
        if self.open:
            budgets, hold, scopes, amount = self.open.pop(which % len(self.open))
            cost = int(amount * share)
            budgets.settle(hold, cost)
            self.spent.update(dict.fromkeys(scopes, cost))
            self.closed.append((budgets, hold))
        if again and self.closed:
            budgets, hold = self.closed[0]
            budgets.settle(hold, LIMIT)

    def tell(self, who: int, final: bool) -> None:
        assert self.budgets[who].sync_leases(final=final)

    def wait(self, seconds: float) -> None:
        """Loans are renewed in time, as a router's thread does."""
        self.clock.advance(seconds)
        for budgets in self.budgets:
            budgets.sync_leases()

    def balanced(self) -> None:
        held: Counter[str] = Counter()
        for _, _, scopes, amount in self.open:
            held.update(dict.fromkeys(scopes, amount))
        for scope, limit in LIMITS.items():
            assert self.spent[scope] + held[scope] <= limit

    def at_rest(self) -> None:
        while self.open:
            self.settle(0, 0.5, False)
        for budgets in self.budgets:
            assert budgets.sync_leases(final=True)
            assert budgets.reserved == 0
        for row in self.budgets[0].rows():
            assert row["reserved_usd"] == 0.0
            assert round(row["spent_usd"] * 10**12) == self.spent[row["scope"]]


@settings(max_examples=60, deadline=None)
@given(shared=st.booleans(), steps=STEPS)
def test_spent_and_reserved_together_never_pass_a_cap(shared: bool, steps: list[tuple[Any, ...]]) -> None:
    world = World(shared)
    for name, *how in steps:
        getattr(world, name)(*how)
        world.balanced()
    world.at_rest()


@settings(max_examples=60, deadline=None)
@given(
    window=st.sampled_from(["minute", "hour", "day", "week", "month"]),
    unix=st.floats(0, 4_000_000_000, allow_nan=False),
)
def test_windows_follow_each_other_without_a_gap(window: str, unix: float) -> None:
    this = span(window, unix)
    assert this.starts is not None
    assert this.ends is not None
    assert this.starts <= unix < this.ends
    assert span(window, this.starts) == this
    assert span(window, this.ends - 0.001) == this
    following = span(window, this.ends)
    assert (following.starts, following.id != this.id) == (this.ends, True)


USAGES = st.builds(
    Usage, st.integers(0, 10**6), st.integers(0, 10**5), estimated=st.booleans(),
    cache_read_tokens=st.integers(0, 9), reasoning_tokens=st.integers(0, 9),
)  # fmt: skip
CALLS = st.lists(
    st.builds(
        lambda number, attempt, **rest: call(f"r{number}", attempt, **rest),
        st.integers(0, 3), st.integers(1, 3), model=st.sampled_from("ab"), cost=st.none() | st.integers(0, 10**20),
        tenant=st.sampled_from(["", "t", "u"]), provider=st.sampled_from("pq"), usage=USAGES,
        tags=st.sampled_from([(), ("x",)]), fault=st.sampled_from([None, "timeout", "cancelled"]),
        at=st.sampled_from([T0, T0 + 3_600, T0 + 90_000, T0 - 86_400]),
    ),
    max_size=20,
)  # fmt: skip
DIMENSIONS = ("tenant", "tag", "task", "chain", "framework", "model", "provider", "credential", "outcome", "fault")


@settings(max_examples=60, deadline=None)
@given(calls=CALLS, by=st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=3), opened=st.integers(0, 20))
def test_each_launch_is_settled_once_and_every_sum_is_that_of_its_calls(
    calls: list[Any], by: list[str], opened: int
) -> None:
    ledger = Ledger()
    lines = {LaunchKey(c.request_id, c.attempt) for c in calls[:opened]}
    for line in lines:
        ledger.open(line)
    booked = []
    for c in calls:
        if LaunchKey(c.request_id, c.attempt) in lines:
            lines.remove(LaunchKey(c.request_id, c.attempt))
            booked.append(c)
        ledger.settle(c)
    assert (ledger.refused_settlements, ledger.unsettled) == (len(calls) - len(booked), len(lines))
    assert ledger.calls() == booked
    whole = ledger.total()
    spent = sum(c.cost_pico or 0 for c in booked)
    assert (whole.cost_usd or Decimal(0)).scaleb(12) == spent
    assert (whole.cost_usd is None) == (whole.unpriced > 0 and not spent)
    assert whole.estimated_usd.scaleb(12) == sum(c.cost_pico or 0 for c in booked if c.estimated)
    assert (whole.calls, whole.unpriced) == (len(booked), sum(c.cost_pico is None for c in booked))
    assert whole.input_tokens == sum(c.input_tokens for c in booked)
    for parts in (ledger.total(by=by).values(), [p.total for p in ledger.series(by, step="hour")]):
        sums = [sum(figure or 0 for figure in column) for column in zip(*parts, strict=True)]
        assert sums == [figure or 0 for figure in whole] * bool(booked)
