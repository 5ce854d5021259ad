"""The same arithmetic in Python and in Lua, and what must hold of it whatever is claimed."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from capability_router.clock import ManualClock
from capability_router.stores.base import BudgetPeriod, LeaseClaim, LeaseGrant
from capability_router.stores.lending import BudgetState, lend
from capability_router.stores.memory import MemoryStore
from capability_router.stores.redis.store import RedisStore
from capability_router.stores.sqlite.store import SqliteStore

NUMBERS = count()
AMOUNTS = st.one_of(st.integers(0, 2_000), st.integers(0, 10**19))
Step = tuple[str, int, int, int, int, float, bool, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.floats(0, 40), st.booleans(), st.integers(1, 4)
    ),
    min_size=1, max_size=12,
)  # fmt: skip
POTS = st.sampled_from(
    [
        BudgetPeriod("p", "", 1_000),
        BudgetPeriod("p", "", 10**18),
        BudgetPeriod("p", "", 3 * 10**19),
        BudgetPeriod("p", "", 1_000, rolls_s=60.0),
        BudgetPeriod("p", "", 10**18, rolls_s=7.3),
        BudgetPeriod("p", "w", 10**18, 1_800_000_000.0, 1_800_000_100.0),
    ]
)


def _stepped(pot: BudgetPeriod, step: Step, told: dict[str, int]) -> LeaseClaim:
    holder, more, kept, least, wish, _, final, number = step
    told[holder] = told.get(holder, 0) + more
    return LeaseClaim(pot, holder, told[holder], kept, kept + least, kept + least + wish, 30.0, final, number)


@settings(max_examples=200, deadline=None)
@given(pot=POTS, steps=STEPS)
def test_lua_lends_as_python_does(server: str, pot: BudgetPeriod, steps: list[Step]) -> None:
    clock, till, told = ManualClock(), BudgetState(), dict[str, int]()
    store = RedisStore(server, clock.now, timeout_s=5.0, unix=clock.unix)
    pot = pot._replace(budget=f"p{next(NUMBERS)}")
    for step in steps:
        claim = _stepped(pot, step, told)
        wanted, found = lend(till, claim, clock.unix()), store.budgets.claim(claim)
        assert found[:3] == wanted[:3]
        assert found.at == pytest.approx(wanted.at, abs=1e-5)
        assert found.frees_at == pytest.approx(wanted.frees_at, abs=1e-5)
        clock.advance(step[5])
    store.close()


class Lending(RuleBasedStateMachine):
    """Three honest holders: each keeps and spends only what it was lent; one may be killed, or be late."""

    LIMIT = 1_000
    kind = "memory"
    folder: Path
    url: str

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        name = f"m{next(NUMBERS)}"
        self.pot = BudgetPeriod(name, "", self.LIMIT)
        if self.kind == "redis":
            with redis.Redis.from_url(self.url) as client:
                client.flushall()
            self.store = RedisStore(self.url, self.clock.now, timeout_s=5.0, unix=self.clock.unix)
        elif self.kind == "sqlite":
            self.store = SqliteStore(self.folder / f"{name}.db", self.clock.unix)
        else:
            self.store = MemoryStore(self.clock.unix)
        self.held = dict.fromkeys("abc", 0)
        self.lent = dict.fromkeys("abc", 0)
        self.until = dict.fromkeys("abc", 0.0)
        self.spent = dict.fromkeys("abc", 0)
        self.told = dict.fromkeys("abc", 0)
        self.late = 0  # spent on a loan that had ended: or beyond it: the one way above the cap
        self.grant = LeaseGrant(0, 0, 0, 0.0)

    def _claim(self, holder: str, extra: int, wish: int) -> bool:
        held, lent = self.held[holder], self.lent[holder] if self.clock.unix() < self.until[holder] else 0
        self.late += max(self.spent[holder] - self.told[holder] - lent, 0)
        claim = LeaseClaim(self.pot, holder, self.spent[holder], held, held + extra, held + extra + wish, 30.0)
        for _ in range(2):  # said twice, as after a lost answer
            self.grant = self.store.budgets.claim(claim)
        self.lent[holder], self.told[holder] = self.grant.lent, self.spent[holder]
        self.until[holder] = self.clock.unix() + 30.0
        return self.grant.lent >= claim.least

    def _covered(self, holder: str) -> int:
        """What a holder may still spend of its loan."""
        valid = self.clock.unix() < self.until[holder]
        return max(self.lent[holder] - (self.spent[holder] - self.told[holder]), 0) if valid else 0

    @rule(holder=st.sampled_from("abc"), amount=st.integers(1, 400), wish=st.integers(0, 400))
    def reserve(self, holder: str, amount: int, wish: int) -> None:
        if self._covered(holder) - self.held[holder] >= amount or self._claim(holder, amount, wish):
            self.held[holder] += amount

    @rule(holder=st.sampled_from("abc"), share=st.floats(0, 1))
    def settle(self, holder: str, share: float) -> None:
        cost = int(self.held[holder] * share)
        self.held[holder] = 0
        self.spent[holder] += cost

    @rule(holder=st.sampled_from("abc"))
    def tell(self, holder: str) -> None:
        self._claim(holder, 0, 0)

    @rule(seconds=st.sampled_from([1.0, 29.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: any(self.held.values()))
    @rule(holder=st.sampled_from("abc"))
    def killed(self, holder: str) -> None:
        """What it held is free again when its loan has ended; what it had told stays spent."""
        self.held[holder] = 0
        self.spent[holder] = self.told[holder]
        self.clock.advance(30.0)
        (row,) = self.store.budgets.standings([self.pot.budget])
        assert row.reserved == 0

    @invariant()
    def the_cap_holds(self) -> None:
        assert self.grant.spent + self.grant.reserved <= self.LIMIT + self.late
        loans = sum(self.lent[h] for h in "abc" if self.clock.unix() < self.until[h])
        assert sum(self.told.values()) + loans <= self.LIMIT + self.late

    @invariant()
    def all_that_was_told_is_spent(self) -> None:
        rows = self.store.budgets.standings([self.pot.budget])
        assert sum(row.spent for row in rows) == sum(self.told.values())

    def teardown(self) -> None:
        self.store.close()


@pytest.mark.parametrize(("kind", "examples"), [("memory", 150), ("sqlite", 30), ("redis", 30)])
def test_whatever_is_reserved_settled_and_lost_the_cap_holds(
    kind: str, examples: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("server") if kind == "redis" else ""
    machine = type("Machine", (Lending,), {"kind": kind, "folder": tmp_path, "url": url})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None))
