"""While a process tells its store what it has spent, its other threads go on spending: the cap holds all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.stores.base import BudgetBalance, LeaseClaim, LeaseGrant
from capability_router.stores.lending import BudgetState, lend

ONE = 10**12
LIMIT_USD, LIMIT = 1.0, ONE


class Post:
    """One process's way to the pot that all share; `before`, `after`: what comes to pass on a claim's way, and back."""

    inline = False

    def __init__(self, till: BudgetState, clock: ManualClock) -> None:
        self._till, self._clock = till, clock
        self.before: Callable[[], None] = _nothing
        self.after: Callable[[], None] = _nothing
        self.loses = ""

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        before, after, loses = self.before, self.after, self.loses
        self.before, self.after, self.loses = _nothing, _nothing, ""
        before()
        if loses == "claim":
            raise StoreError("away")
        grant = lend(self._till, claim, self._clock.unix())
        after()
        if loses == "answer":
            raise StoreError("away")
        return grant

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        raise NotImplementedError


def _nothing() -> None:
    """Nobody else does anything meanwhile."""


class Process:
    """Budgets over the shared pot; `spent` and `held` are what it has in truth."""

    def __init__(self, till: BudgetState, clock: ManualClock) -> None:
        self.post = Post(till, clock)
        self.budgets = Budgets([BudgetSpec("global", LIMIT_USD)], room=self.post, clock=clock)
        self.holds: list[Reservation] = []
        self.spent = 0

    def reserve(self, amount: int, *, borrows: bool) -> bool:
        found = self.budgets.reserve(["global"], amount)
        if isinstance(found, FundsShortfall) and borrows:
            found = self.budgets.borrow(found)
        if isinstance(found, Reservation):
            self.holds.append(found)
        return isinstance(found, Reservation)

    def settle(self) -> None:
        if self.holds:
            hold = self.holds.pop(0)
            self.spent += hold.amount
            self.budgets.settle(hold, hold.amount)

    @property
    def taken(self) -> int:
        return self.spent + sum(hold.amount for hold in self.holds)


@dataclass
class Step:
    """What one process does; `before` and `after` are done while its claim, or the answer to it, is on its way."""

    who: int
    does: str
    amount: int = 0
    loses: str = ""
    before: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)


amounts = st.sampled_from([LIMIT // 100, LIMIT // 30, LIMIT // 7])
actions = st.sampled_from(["reserve", "spend", "spend", "settle", "tell", "wait"])


def steps(inner: st.SearchStrategy[list[Step]]) -> st.SearchStrategy[list[Step]]:
    lost = st.sampled_from(["", "", "", "claim", "answer"])
    return st.lists(st.builds(Step, st.integers(0, 2), actions, amounts, lost, inner, inner), max_size=12)


class World:
    """Three processes and the pot."""

    def __init__(self) -> None:
        self.clock, self.till = ManualClock(), BudgetState()
        self.processes = [Process(self.till, self.clock) for _ in range(3)]
        self._telling: set[int] = set()

    def take(self, plan: Iterable[Step]) -> None:
        for step in plan:
            self._one(step)
            taken = sum(process.taken for process in self.processes)
            assert taken <= LIMIT, f"{taken / LIMIT:.3f} of the cap is spent or reserved"

    def _one(self, step: Step) -> None:
        process = self.processes[step.who]
        alone = step.who not in self._telling
        if step.does == "wait":
            self.clock.advance(0.05 if step.amount < LIMIT // 10 else 1.5)
        elif step.does == "settle":
            process.settle()
        elif step.does == "tell" and alone:
            for _ in self._meanwhile(step):
                process.budgets.sync_leases()
        elif step.does in ("reserve", "spend"):
            for _ in self._meanwhile(step) if alone else [None]:
                held = process.reserve(step.amount, borrows=alone)
                if held and step.does == "spend":
                    process.settle()

    def _meanwhile(self, step: Step) -> Iterator[None]:
        post = self.processes[step.who].post
        post.before, post.after = (lambda: self.take(step.before)), (lambda: self.take(step.after))
        post.loses = step.loses
        self._telling.add(step.who)
        yield
        self._telling.discard(step.who)
        post.before, post.after, post.loses = _nothing, _nothing, ""


often = [Step(0, "spend", LIMIT // 100) for _ in range(9)]
rest = [Step(1, "spend", LIMIT // 100) for _ in range(100)]
SHRINKS = [*often, Step(0, "tell", before=often), *rest]


@settings(deadline=None, max_examples=300)
@given(steps(steps(st.just([]))))
@example(SHRINKS)
def test_the_cap_holds_whatever_comes_to_pass_while_a_claim_is_on_its_way(plan: list[Step]) -> None:
    World().take(plan)
