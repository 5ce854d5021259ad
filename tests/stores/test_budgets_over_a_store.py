"""Budgets of several routers over one store, in one process, with the time and the store's moods in the test's hand."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterable
from decimal import Decimal

import pytest

from capability_router import BudgetExceeded, Request, StoreError, routing
from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation, StoreTerms, WhenAway
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import BudgetEvent, Denial
from capability_router.stores.base import BudgetBalance, LeaseClaim, LeaseGrant, Store
from capability_router.stores.redis.store import RedisStore

ONE = 10**12
CAP = BudgetSpec("global", 1.0, "day")


class Moody:
    """A room that counts what it is asked, and can be away."""

    inline = False

    def __init__(self, store: Store) -> None:
        self._room, self.claims, self.away = store.budgets, 0, False

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        self.claims += 1
        if self.away:
            raise StoreError("the store redis://u:***@h/0 can't be used: TimeoutError")
        return self._room.claim(claim)

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        return self._room.standings(budgets)


class Process:
    """What one process does with its budgets."""

    def __init__(
        self, room: Moody, clock: ManualClock, *specs: BudgetSpec, when_away: WhenAway = "fail_closed"
    ) -> None:
        self.budgets = Budgets(specs or [CAP], room=room, clock=clock, terms=StoreTerms("shared", 30.0, when_away))
        self.heard: list[BudgetEvent] = []
        self.budgets.on_event(self.heard.append)

    def hold(self, amount: int, *scopes: str) -> Reservation | Denial:
        found = self.budgets.reserve(scopes or ["global"], amount)
        return self.budgets.borrow(found) if isinstance(found, FundsShortfall) else found

    def spend(self, amount: int, cost: int | None = None, *scopes: str) -> bool:
        hold = self.hold(amount, *scopes)
        if isinstance(hold, Reservation):
            self.budgets.settle(hold, amount if cost is None else cost)
        return isinstance(hold, Reservation)


@pytest.fixture
def room(shared: Store) -> Moody:
    return Moody(shared)


def test_calls_that_follow_each_other_rarely_ask_the_store(room: Moody, clock: ManualClock) -> None:
    one = Process(room, clock, BudgetSpec("global", 1_000.0))
    for _ in range(1_000):
        assert one.spend(ONE // 100, ONE // 200)
        clock.advance(0.001)
    assert room.claims < 25
    assert [row["spent_usd"] for row in one.budgets.rows()] == [5.0]


def test_two_processes_spend_the_cap_whole_and_never_more(room: Moody, clock: ManualClock) -> None:
    one, two = Process(room, clock), Process(room, clock)
    spent, refused = 0, 0
    while refused < 50:
        for process in (one, two):
            if process.spend(ONE // 100, ONE // 150):
                spent += ONE // 150
            else:
                refused += 1
        clock.advance(0.01)
        assert spent <= ONE
    assert ONE - spent < ONE // 100 + ONE // 150
    one.budgets.sync_leases(final=True)
    two.budgets.sync_leases(final=True)
    (row,) = one.budgets.rows()
    assert (row["spent_usd"], row["reserved_usd"]) == (spent / 1e12, 0.0)


def test_what_a_lone_call_does_not_need_is_given_back_with_the_next_word(room: Moody, clock: ManualClock) -> None:
    one, two = Process(room, clock), Process(room, clock)
    assert one.spend(ONE, ONE // 10)
    assert not two.spend(ONE * 9 // 10)
    assert one.budgets.sync_leases()
    clock.advance(0.1)  # for so long a refusal holds
    assert two.spend(ONE * 9 // 10)


def test_spending_survives_the_process(room: Moody, clock: ManualClock) -> None:
    first = Process(room, clock)
    assert first.spend(ONE // 2)
    first.budgets.sync_leases(final=True)
    second = Process(room, clock)
    assert not second.spend(ONE // 2 + 1)
    assert second.spend(ONE // 2)
    assert [(event.kind, event.share) for event in second.heard] == [
        ("refusing", 0.0), ("threshold", 0.8), ("threshold", 1.0),
    ]  # fmt: skip


def test_a_process_that_was_killed_holds_nothing_beyond_its_lease(room: Moody, clock: ManualClock) -> None:
    killed, other = Process(room, clock), Process(room, clock)
    assert killed.spend(ONE // 10)
    assert killed.budgets.sync_leases()
    assert isinstance(killed.hold(ONE * 9 // 10), Reservation)
    assert not other.spend(1)
    clock.advance(29.9)
    assert not other.spend(1)
    clock.advance(0.2)
    assert not other.spend(ONE * 9 // 10 + 1)
    assert other.spend(ONE * 9 // 10)


def test_a_call_that_outlives_its_lease_is_renewed_or_booked_late(room: Moody, clock: ManualClock) -> None:
    slow, other = Process(room, clock), Process(room, clock)
    hold = slow.hold(ONE // 2)
    for _ in range(5):
        clock.advance(20.0)
        slow.budgets.sync_leases()
        assert not other.spend(ONE // 2 + 1)
    clock.advance(40.0)  # asleep, say: its lease ends
    assert other.spend(ONE)
    slow.budgets.settle(hold, ONE // 4)  # type: ignore[arg-type]
    assert slow.budgets.sync_leases()
    assert [row["spent_usd"] for row in other.budgets.rows()] == [1.25]


def test_a_process_that_rests_for_days_is_not_booked_twice(room: Moody, clock: ManualClock) -> None:
    spec = BudgetSpec("global", 1.0)
    one, two = Process(room, clock, spec), Process(room, clock, spec)
    assert one.spend(ONE // 4)
    assert one.budgets.sync_leases()
    clock.advance(3 * 86_400)
    assert two.spend(ONE // 8)  # the store forgets who has long gone
    assert one.spend(ONE // 8)
    for process in (one, two):
        assert process.budgets.sync_leases()
    assert [row["spent_usd"] for row in one.budgets.rows()] == [0.5]


def test_a_call_that_is_under_way_when_its_process_closes_is_booked_once(room: Moody, clock: ManualClock) -> None:
    one, two = Process(room, clock), Process(room, clock)
    assert one.spend(ONE // 4)
    hold = one.hold(ONE // 4)
    assert one.budgets.sync_leases(final=True)
    clock.advance(700)
    assert two.spend(ONE // 4)
    one.budgets.settle(hold, ONE // 4)  # type: ignore[arg-type]
    for process in (one, two):
        assert process.budgets.sync_leases(final=True)
    assert [(row["spent_usd"], row["reserved_usd"]) for row in one.budgets.rows()] == [(0.75, 0.0)]


class Asleep(ManualClock):
    """The monotonic clock stands still while the machine sleeps, as Linux' does."""

    def now(self) -> float:
        return 0.0


class SetBack(ManualClock):
    """The wall clock is set back all the time."""

    def unix(self) -> float:
        return 1_800_000_000.0


@pytest.mark.parametrize("odd", [Asleep, SetBack])
def test_a_loan_ends_by_both_clocks(room: Moody, clock: ManualClock, odd: type[ManualClock]) -> None:
    own = odd()
    one, two = Process(room, own), Process(room, clock)
    assert one.spend(ONE // 100)
    (purse,) = one.budgets.leases()
    while purse.free(0.0, 0.0) < ONE // 1_000:
        assert one.spend(ONE // 100)
    claims = room.claims
    assert one.spend(ONE // 1_000)
    assert room.claims == claims  # it had been lent more
    while purse.free(0.0, 0.0) < ONE // 1_000:
        assert one.spend(ONE // 100)
    claims = room.claims
    own.advance(40)
    clock.advance(40)
    (row,) = two.budgets.rows()
    assert two.spend(round(row["left_usd"] * ONE))
    assert not one.spend(ONE // 1_000)
    assert room.claims == claims + 2


def test_the_window_turns_under_a_loan(room: Moody, clock: ManualClock) -> None:
    one, two = Process(room, clock), Process(room, clock)
    assert one.spend(ONE // 2)
    late = one.hold(ONE // 2)
    clock.advance(86_400)
    assert two.spend(ONE // 2)
    assert one.spend(ONE // 2)
    one.budgets.settle(late, ONE // 2)  # type: ignore[arg-type]
    assert one.budgets.sync_leases()
    assert two.budgets.sync_leases()
    assert not one.spend(1)
    assert [row["spent_usd"] for row in one.budgets.rows()] == [1.0]


def test_a_store_that_is_away_closes_the_budgets_and_says_so_without_the_password(
    room: Moody, clock: ManualClock
) -> None:
    one = Process(room, clock)
    room.away = True
    found = one.hold(ONE // 10)
    assert isinstance(found, Denial)
    assert found.store
    assert "redis://u:***@h/0 can't be used: TimeoutError" in found.told
    assert "fail_open" in found.told
    assert not one.spend(1)
    room.away = False
    assert one.spend(ONE // 10)
    assert [event.kind for event in one.heard] == ["store_away", "store_back"]


def test_what_was_lent_can_be_spent_while_the_store_is_away(room: Moody, clock: ManualClock) -> None:
    one = Process(room, clock, BudgetSpec("global", 100.0))
    for _ in range(10):
        assert one.spend(ONE // 10)
    room.away = True
    assert one.spend(ONE // 10)
    assert not one.budgets.sync_leases()
    clock.advance(31)
    assert not one.spend(ONE // 10)
    room.away = False
    assert one.budgets.sync_leases()
    assert [row["spent_usd"] for row in one.budgets.rows()] == [1.1]


def test_fail_open_lets_calls_through_and_tells_them_later(room: Moody, clock: ManualClock) -> None:
    one = Process(room, clock, when_away="fail_open")
    room.away = True
    for _ in range(3):
        assert one.spend(ONE // 2)
    room.away = False
    assert one.budgets.sync_leases()
    assert not one.spend(1)
    assert [row["spent_usd"] for row in one.budgets.rows()] == [1.5]


def test_a_cap_that_only_warns_never_waits_for_the_store(room: Moody, clock: ManualClock) -> None:
    one = Process(room, clock, BudgetSpec("global", 1.0, on_exceed="warn"))
    room.away = True
    for _ in range(3):
        assert isinstance(one.budgets.reserve(["global"], ONE // 2), Reservation)
    assert room.claims == 0


def test_a_forked_child_spends_nothing_that_its_parent_was_lent(room: Moody, clock: ManualClock) -> None:
    one = Process(room, clock)
    hold = one.hold(ONE // 2)
    one.budgets.forked()  # as the child sees it
    one.budgets.settle(hold, ONE // 2)  # type: ignore[arg-type]
    assert one.budgets.sync_leases()
    assert [row["spent_usd"] for row in one.budgets.rows()] == [0.0]
    assert not one.spend(ONE // 2 + 1)


def test_rows_of_each_come_from_the_store(room: Moody, clock: ManualClock) -> None:
    spec = BudgetSpec("tenant:*", 1.0, "day")
    one, two = Process(room, clock, spec), Process(room, clock, spec)
    one.spend(ONE // 4, None, "tenant:a")
    one.budgets.sync_leases()
    assert [(r["scope"], r["spent_usd"]) for r in two.budgets.rows()] == [("tenant:a", 0.25)]
    assert two.budgets.rows(tenant="b") == []


class Crowd:
    """64 threads and 4 event loops on two routers; `done` counts the calls of each."""

    def __init__(self, routers: list[Budgets], cost: int) -> None:
        self.routers, self.cost = routers, cost
        self.done = [0] * 68
        self._gate = threading.Barrier(68)

    def run(self) -> None:
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(64)]
        threads += [threading.Thread(target=lambda n=n: asyncio.run(self._awork(n))) for n in range(64, 68)]
        [t.start() for t in threads]
        [t.join() for t in threads]

    def _work(self, n: int) -> None:
        budgets = self.routers[n % 2]
        self._gate.wait()
        for _ in range(20):
            found = budgets.reserve(["global"], 2 * self.cost)
            self._settled(n, budgets.borrow(found) if isinstance(found, FundsShortfall) else found)

    async def _awork(self, n: int) -> None:
        budgets = self.routers[n % 2]
        await asyncio.to_thread(self._gate.wait)
        for _ in range(20):
            found = budgets.reserve(["global"], 2 * self.cost)
            self._settled(
                n, await asyncio.to_thread(budgets.borrow, found) if isinstance(found, FundsShortfall) else found
            )

    def _settled(self, n: int, hold: object) -> None:
        if isinstance(hold, Reservation):
            self.routers[n % 2].settle(hold, self.cost)
            self.done[n] += 1


def test_64_threads_and_4_event_loops_over_one_store(shared: Store, clock: ManualClock) -> None:
    """The cap is spent to within two calls of what each router reserves, and never passed."""
    cap, cost = ONE // 20, ONE // 10_000
    routers = [Budgets([BudgetSpec("global", 0.05)], room=shared.budgets, clock=clock) for _ in range(2)]
    crowd = Crowd(routers, cost)
    crowd.run()
    for budgets in routers:
        assert budgets.sync_leases(final=True)
        assert budgets.reserved == 0
    (row,) = shared.budgets.standings()
    assert (row.spent, row.reserved) == (sum(crowd.done) * cost, 0)
    assert cap - 4 * cost <= row.spent <= cap


def test_redis_away_is_not_waited_for_each_time(clock: ManualClock) -> None:
    store = RedisStore("redis://user:geheim@127.0.0.1:1/0", clock.now)
    one = Process(Moody(store), clock)
    assert not one.spend(1)
    found = one.hold(1)
    assert isinstance(found, Denial)
    assert "redis://user:***@127.0.0.1:1/0 is away (Connection refused: ConnectionError)" in found.told
    assert "geheim" not in found.told + repr(store) + repr(one.heard)
    clock.advance(0.6)
    assert "can't be used" in one.hold(1).told  # type: ignore[union-attr]


def test_windows_are_the_server_s_whatever_this_machine_believes(redis_url: str, clock: ManualClock) -> None:
    """The test's clock is months ahead of the server's."""
    store = RedisStore(redis_url, clock.now, timeout_s=5.0)
    one = Process(Moody(store), clock, CAP, BudgetSpec("tag:*", 1.0, "month"))
    assert one.spend(ONE // 2, None, "global", "tag:x")
    assert one.spend(ONE // 4, None, "global", "tag:x")
    assert not one.spend(ONE // 2, None, "global", "tag:x")
    rows = {row["scope"]: row for row in one.budgets.rows()}
    assert (rows["global"]["spent_usd"], rows["tag:x"]["spent_usd"]) == (0.75, 0.75)
    assert rows["global"]["resets_at"] < "2027-01-15"  # type: ignore[operator]
    store.close()


def test_terms_reach_the_error(clock: ManualClock) -> None:
    from capability_router.testing import ask, scripted_router

    cards = {"dear": {"price": {"input_mtok": 100, "output_mtok": 100}}, "cheap": {}}
    budget = {"scope": "tenant:*", "limit_usd": 0.05, "window": "day"}
    router = scripted_router({"dear": ["ok"], "cheap": ["ok"]}, cards=cards, budgets=[budget], clock=clock)
    with routing(tenant="acme"), pytest.raises(BudgetExceeded) as caught:
        ask(router, Request(("hi",), max_tokens=1_000))
    error = caught.value
    assert (error.scope, error.window, error.limit_usd, error.spent_usd) == ("tenant:acme", "day", Decimal("0.05"), 0)
    assert (error.left_usd, error.reserved_usd, error.resets_at) == (Decimal("0.05"), 0, "2027-01-16T00:00:00Z")
    assert error.fits == ("cheap",)
    assert "What is left is enough for cheap" in str(error)


def test_what_was_spent_is_told_also_if_nobody_holds_the_router_any_more(shared: Store, clock: ManualClock) -> None:
    from capability_router.money.budget.store_sync import StoreSync

    def spent() -> weakref.ref[StoreSync]:
        budgets = Budgets([CAP], room=shared.budgets, clock=clock, terms=StoreTerms("shared"))
        sync = StoreSync(budgets)
        found = budgets.reserve(["global"], ONE // 2)
        assert isinstance(found, FundsShortfall)
        hold = budgets.borrow(found)
        assert isinstance(hold, Reservation)
        budgets.settle(hold, ONE // 4)
        sync.start()
        return weakref.ref(sync)

    gone = spent()
    gc.collect()
    while gone() is not None:  # its thread tells, and lets go
        time.sleep(0.001)
        gc.collect()
    assert [row.spent for row in shared.budgets.standings()] == [ONE // 4]


def test_a_cap_goes_on_when_another_one_is_written_above_it(room: Moody, clock: ManualClock) -> None:
    cap, milder = BudgetSpec("global", 1.0), BudgetSpec("global", 0.5, on_exceed="warn")
    one = Process(room, clock, cap)
    assert one.spend(ONE * 3 // 4)
    assert one.budgets.sync_leases(final=True)
    for specs in ([milder, cap], [cap, milder], [cap]):
        assert not Process(room, clock, *specs).spend(ONE // 2)


@pytest.mark.parametrize("on_exceed", ["refuse", "warn"])
def test_a_name_that_was_cut_within_an_emoji_stops_nothing(room: Moody, clock: ManualClock, on_exceed: str) -> None:
    each = BudgetSpec("tenant:*", 1.0, on_exceed=on_exceed)  # type: ignore[arg-type]
    one = Process(room, clock, each, BudgetSpec("global", 1.0))
    assert one.spend(ONE // 4, None, "tenant:\ud83d", "global")
    assert one.spend(ONE // 4, None, "tenant:acme", "global")
    assert one.budgets.sync_leases()
    spent = {row["scope"]: row["spent_usd"] for row in one.budgets.rows()}
    assert spent == {"tenant:?": 0.25, "tenant:acme": 0.25, "global": 0.5}
