"""The thread that keeps a shared store informed: what wakes it, what it does unasked, and how it ends."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from unit.money.budget.lender import ONE, Lender, Process

from capability_router.clock import ManualClock, SystemClock
from capability_router.concurrency import process_hooks
from capability_router.concurrency.periodic_thread import ThreadSignal
from capability_router.money.budget import store_sync as module
from capability_router.money.budget.store_sync import StoreSync


@pytest.fixture
def budgets(lender: Lender, clock: ManualClock) -> Process:
    return Process(lender, clock)


@pytest.fixture
def sync(budgets: Process) -> Iterator[StoreSync]:
    made = StoreSync(budgets)
    yield made
    made.close()


def comes(happens: Callable[[], bool]) -> bool:
    """Whether it happens by itself, in its own time."""
    for _ in range(2_000):
        if happens():
            return True
        SystemClock.sleep(0.005)
    return False


def heard(lender: Lender) -> int:
    """How much the store was last told to be spent."""
    return lender.claims[-1].spent if lender.claims else 0


def test_what_is_spent_is_told_without_being_asked_for(budgets: Process, lender: Lender, sync: StoreSync) -> None:
    sync.start()
    for spent in (10, 20, 30):
        assert budgets.spend(10)
        assert comes(lambda spent=spent: heard(lender) == spent)


def test_a_hold_that_goes_on_is_renewed_though_nothing_is_settled(
    budgets: Process, lender: Lender, sync: StoreSync, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.01)
    sync.start()
    budgets.held(ONE // 2)
    for renewed in (2, 3):
        clock.advance(20.0)
        assert comes(lambda renewed=renewed: len(lender.claims) == renewed)
    assert lender.claims[-1].kept == ONE // 2


def test_it_begins_once_and_keeps_no_process_alive(sync: StoreSync, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[threading.Thread] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (began.append(thread), start(thread)))
    for _ in range(3):
        sync.start()
    assert [(t.name, t.daemon) for t in began] == [("router store sync", True)]


def test_closing_tells_and_gives_back_all_and_ends_the_thread(
    budgets: Process, lender: Lender, sync: StoreSync
) -> None:
    sync.start()
    thread = sync._rounds._thread
    assert thread is not None
    assert budgets.spend(10)
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 20)
    assert lender.standings()[0].reserved > 0, "who asks twice in a second is lent more than he needs"
    assert budgets.spend(5)
    sync.close()
    assert not thread.is_alive()
    assert (lender.standings()[0].spent, lender.standings()[0].reserved) == (25, 0)


def test_one_that_never_began_tells_all_as_it_closes(budgets: Process, lender: Lender, sync: StoreSync) -> None:
    assert budgets.spend(10)
    sync.close()
    (row,) = lender.standings()
    assert (row.spent, row.reserved) == (10, 0)


def test_a_closed_one_can_be_used_and_begun_again(budgets: Process, lender: Lender, sync: StoreSync) -> None:
    for round in (1, 2):
        sync.start()
        assert budgets.spend(10)
        assert comes(lambda round=round: heard(lender) == 10 * round)
        sync.close()
    assert (lender.standings()[0].spent, lender.standings()[0].reserved) == (20, 0)


def test_the_end_of_the_process_is_heard(budgets: Process, lender: Lender, sync: StoreSync) -> None:
    assert sync in process_hooks._owners
    sync.start()
    thread = sync._rounds._thread
    assert thread is not None
    assert budgets.spend(10)
    sync.at_exit()
    assert not thread.is_alive()
    assert lender.standings()[0].spent == 10


def test_the_child_of_a_fork_has_a_thread_of_its_own_and_nothing_of_its_parents(
    budgets: Process, lender: Lender, sync: StoreSync
) -> None:
    sync.start()
    parents, bell = sync._rounds._thread, sync._rounds._bell
    held = budgets.held(30)
    sync.after_fork()  # as in the child, where the parent's thread isn't
    sync.start()
    assert sync._rounds._thread is not parents
    budgets.settle(held, 30)
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 10)
    assert len({claim.holder for claim in lender.claims}) == 2
    bell.end()
    assert parents is not None
    parents.join(30)


def test_a_router_that_is_let_go_of_loses_nothing_and_leaves_no_thread(
    lender: Lender, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.01)
    budgets = Process(lender, clock)
    sync = StoreSync(budgets)
    hold = budgets.held(10)
    budgets.settle(hold, 10)
    sync.start()
    thread, gone = sync._rounds._thread, weakref.ref(sync)
    del hold, budgets, sync
    assert thread is not None
    assert comes(lambda: gc.collect() >= 0 and not thread.is_alive())
    assert gone() is None
    assert heard(lender) == 10


def test_a_defect_is_logged_and_the_next_round_tells_it(
    budgets: Process, lender: Lender, sync: StoreSync, caplog: pytest.LogCaptureFixture
) -> None:
    hold = budgets.held(10)

    def fails() -> None:
        raise ValueError("odd")

    lender.before = lender.once(fails)
    sync.start()
    budgets.settle(hold, 10)
    assert comes(lambda: "could not be reported" in caplog.text)
    assert [record.name for record in caplog.records] == ["capability_router"]
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 20)


def test_it_rests_a_moment_after_each_round(budgets: Process, lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls in quick succession make one round."""
    sync, bell, rests = StoreSync(budgets), ThreadSignal[StoreSync](), []

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout)
            bell.end()
            return True

    assert budgets.spend(10)
    bell.ended = Ended()
    bell.ring(sync)
    module._run(bell, weakref.ref(sync))
    assert rests == [0.01]
    assert heard(lender) == 10


def test_a_request_that_comes_while_it_closes(budgets: Process, lender: Lender, sync: StoreSync) -> None:
    """The thread that closes is waiting for a slow store; the one that the request starts does not take its place."""
    slow, go = threading.Event(), threading.Event()

    def waits() -> None:
        slow.set()
        assert go.wait(30)

    hold = budgets.held(10)
    lender.before = lender.once(waits)
    sync.start()
    first = sync._rounds._thread
    budgets.settle(hold, 10)
    assert slow.wait(30)
    closing = threading.Thread(target=sync.close, daemon=True)
    closing.start()
    assert comes(lambda: sync._rounds._thread is None)
    sync.start()
    later = sync._rounds._thread
    SystemClock.sleep(0.05)  # the later one waits for a ring
    go.set()
    closing.join(30)
    assert not closing.is_alive()
    assert first is not None
    assert not first.is_alive()
    assert later is not None
    assert later.is_alive()
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 20)


def test_without_a_thread_no_call_fails_and_a_later_one_begins_it(
    budgets: Process, lender: Lender, sync: StoreSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        sync.start()
        sync.close()
    sync.start()
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 10)
