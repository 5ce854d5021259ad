import gc
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from capability_router import ConfigError, Usage
from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.money.ledger.call import Call, LaunchKey
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.ledger.ledger_backend import MemoryLedgerBackend
from capability_router.stores.calls import CallQuery


def call(request_id="r", attempt=1, model="a", cost=10**9, tenant="t", tags=("x",), estimated=False, **rest) -> Call:
    fields = {"task": "chat", "chain": "c", "framework": "langchain", "fault": None, "at": 1.0, "provider": "p"} | rest
    return Call(
        request_id,
        attempt,
        model,
        tenant=tenant,
        tags=tags,
        usage=Usage(10, 5, estimated=estimated),
        cost_pico=cost,
        **fields,
    )


def booked(*calls: Call) -> Ledger:
    ledger = Ledger()
    for c in calls:
        ledger.open(LaunchKey(c.request_id, c.attempt))
        ledger.settle(c)
    return ledger


def test_a_launch_is_booked_once() -> None:
    ledger = booked(call())
    ledger.settle(call())
    assert (ledger.total().calls, ledger.refused_settlements, ledger.unsettled) == (1, 1, 0)


def test_a_launch_that_was_never_opened_is_refused() -> None:
    ledger = Ledger()
    ledger.settle(call())
    assert ledger.total().calls == 0


def test_totals_by_several_dimensions() -> None:
    ledger = booked(call("1"), call("2", tenant="u", model="b", cost=5), call("3", tenant="u"))
    assert ledger.total(by=("tenant", "model")) == {
        ("t", "a"): ledger.total(by=("tenant",))[("t",)],
        ("u", "a"): ledger.total(by=("tenant", "model"))[("u", "a")],
        ("u", "b"): ledger.total(by=("model",))[("b",)],
    }
    assert ledger.total().cost_usd == Decimal(2 * 10**9 + 5).scaleb(-12)


def test_a_call_counts_once_for_each_of_its_tags() -> None:
    by_tag = booked(call("1", tags=("x", "y")), call("2", tags=())).total(by=("tag",))
    assert {group: total.calls for group, total in by_tag.items()} == {("",): 1, ("x",): 1, ("y",): 1}


def test_unknown_price_and_estimates_are_told_apart() -> None:
    total = booked(call("1", cost=None), call("2", estimated=True, cost=7)).total()
    assert (total.unpriced, total.estimated_usd, total.cost_usd) == (1, Decimal(7).scaleb(-12), Decimal(7).scaleb(-12))


def test_unknown_dimension() -> None:
    with pytest.raises(ConfigError, match="tenantt"):
        Ledger().total(by=("tenantt",))


def test_threads_book_exactly() -> None:
    ledger = Ledger(keep=10)

    def work(n: int) -> None:
        for i in range(500):
            ledger.open(LaunchKey(f"{n}-{i}", 1))
            ledger.settle(call(f"{n}-{i}", cost=i))
            ledger.settle(call(f"{n}-{i}", cost=i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert ledger.total().calls == 4_000
    assert ledger.total().cost_usd == Decimal(8 * sum(range(500))).scaleb(-12)
    assert (ledger.refused_settlements, ledger.unsettled, len(ledger.calls())) == (4_000, 0, 10)


def test_a_tag_given_twice_counts_once() -> None:
    assert booked(call("1", tags=("x", "x"))).total(by=("tag",))[("x",)].calls == 1


class Shelf(MemoryLedgerBackend):
    """Books that wait for a store."""

    def __init__(self) -> None:
        super().__init__(DeferringLock(lambda call: None))
        self.told: list[str] = []
        self.waiting: list[Call] = []
        self.dropped = 3

    @property
    def unwritten(self) -> int:  # type: ignore[override]
        return len(self.waiting)

    def take(self, call: Call) -> None:
        self.waiting.append(call)

    def calls(self, asked: CallQuery, *, newest_first: bool = False) -> Iterator[Call]:
        return iter(self.waiting)

    def close(self) -> None:
        self.told.append("close")
        self.waiting.clear()

    def retire(self) -> None:
        self.told.append("retire")

    def __repr__(self) -> str:
        return "on a shelf"


def test_other_books_are_kept_told_of_and_closed() -> None:
    shelf = Shelf()
    ledger = Ledger(books=shelf)
    ledger.open(LaunchKey("r", 1))
    ledger.open(LaunchKey("r", 2))
    ledger.settle(call())
    assert ledger.calls() == [call()]
    assert (ledger.unwritten, ledger.dropped, ledger.unsettled) == (1, 3, 1)
    assert repr(ledger) == "<Ledger on a shelf, 1 under way>"
    ledger.close()
    assert (ledger.unwritten, shelf.told) == (0, ["close"])


def test_a_ledger_that_is_gone_retires_its_books() -> None:
    shelf = Shelf()
    ledger = Ledger(books=shelf)
    assert shelf.told == []
    del ledger
    gc.collect()
    assert shelf.told == ["retire"]


def test_in_memory_nothing_waits_and_nothing_is_dropped() -> None:
    ledger = booked(call())
    ledger.close()
    assert (ledger.unwritten, ledger.dropped, ledger.total().calls) == (0, 0, 1)


def test_a_launch_is_open_until_it_is_settled_whatever_else_its_request_does() -> None:
    ledger = Ledger()
    for attempt in (1, 2):
        ledger.open(LaunchKey("r", attempt))
    ledger.settle(call(attempt=2))
    ledger.settle(call(attempt=3))
    assert (ledger.unsettled, ledger.refused_settlements, ledger.total().calls) == (1, 1, 1)


@pytest.mark.parametrize(("days", "known"), [(1.0, 3), (5.0, 6), (90.0, 10)])
def test_days_that_are_kept_no_longer_leave_the_times_and_not_the_sum(days: float, known: int) -> None:
    """Two days are always kept by the hour."""
    ledger = Ledger(days=days, unix=lambda: 10 * 86_400.0)
    for day in range(10):
        ledger.open(LaunchKey(str(day), 1))
        ledger.settle(call(str(day), cost=1, at=day * 86_400.0))
    assert ledger.total().calls == 10
    assert ledger.total(since=0.0).calls == known
    assert ledger.total(since="36h").calls == 1
