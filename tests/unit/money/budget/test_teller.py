"""The thread that keeps a shared store informed: what wakes it, what it does unasked, and how it ends."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from unit.money.budget.lender import ONE, Lender, Process

from capability_router.clock import ManualClock, SystemClock
from capability_router.concurrency import lifetime
from capability_router.money.budget import teller as tellers
from capability_router.money.budget.teller import Teller


@pytest.fixture
def budgets(lender: Lender, clock: ManualClock) -> Process:
    return Process(lender, clock)


@pytest.fixture
def teller(budgets: Process) -> Iterator[Teller]:
    made = Teller(budgets)
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


def test_what_is_spent_is_told_without_being_asked_for(budgets: Process, lender: Lender, teller: Teller) -> None:
    teller.start()
    for spent in (10, 20, 30):
        assert budgets.spend(10)
        assert comes(lambda spent=spent: heard(lender) == spent)


def test_a_hold_that_goes_on_is_renewed_though_nothing_is_settled(
    budgets: Process, lender: Lender, teller: Teller, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tellers, "ROUND_S", 0.01)
    teller.start()
    budgets.held(ONE // 2)
    for renewed in (2, 3):
        clock.advance(20.0)
        assert comes(lambda renewed=renewed: len(lender.claims) == renewed)
    assert lender.claims[-1].kept == ONE // 2


def test_it_begins_once_and_is_no_reason_for_a_process_to_last(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[threading.Thread] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (began.append(thread), start(thread)))
    for _ in range(3):
        teller.start()
    assert [(t.name, t.daemon) for t in began] == [("router teller", True)]


class Together:
    """A lock that is taken only once two have come for it."""

    def __init__(self) -> None:
        self._both, self._lock = threading.Barrier(2, timeout=30), threading.Lock()

    def __enter__(self) -> None:
        self._both.wait()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_of_two_that_begin_it_at_once_one_does(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    teller._starting = Together()  # type: ignore[assignment]  # as one of two threads finds it
    both = [threading.Thread(target=teller.start) for _ in range(2)]
    began: list[Any] = []
    made = threading.Thread
    monkeypatch.setattr(tellers.threading, "Thread", lambda **how: began.append(how) or made(**how))
    [t.start() for t in both]
    [t.join(30) for t in both]
    assert len(began) == 1


def test_closing_tells_all_gives_all_back_and_ends_the_thread(budgets: Process, lender: Lender, teller: Teller) -> None:
    teller.start()
    thread = teller._thread
    assert thread is not None
    assert budgets.spend(10)
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 20)
    assert lender.standings()[0].reserved > 0, "who asks twice in a second is lent more than he needs"
    assert budgets.spend(5)
    teller.close()
    assert not thread.is_alive()
    assert (lender.standings()[0].spent, lender.standings()[0].reserved) == (25, 0)


def test_one_that_never_began_tells_all_as_it_closes(budgets: Process, lender: Lender, teller: Teller) -> None:
    assert budgets.spend(10)
    teller.close()
    (row,) = lender.standings()
    assert (row.spent, row.reserved) == (10, 0)


def test_a_closed_one_can_be_used_and_begun_again(budgets: Process, lender: Lender, teller: Teller) -> None:
    for round in (1, 2):
        teller.start()
        assert budgets.spend(10)
        assert comes(lambda round=round: heard(lender) == 10 * round)
        teller.close()
    assert (lender.standings()[0].spent, lender.standings()[0].reserved) == (20, 0)


def test_the_end_of_the_process_is_heard(budgets: Process, lender: Lender, teller: Teller) -> None:
    assert teller in lifetime._owners
    teller.start()
    thread = teller._thread
    assert thread is not None
    assert budgets.spend(10)
    teller.at_exit()
    assert not thread.is_alive()
    assert lender.standings()[0].spent == 10


def test_the_child_of_a_fork_has_a_thread_of_its_own_and_nothing_of_its_parents(
    budgets: Process, lender: Lender, teller: Teller
) -> None:
    teller.start()
    parents, bell = teller._thread, teller._bell
    held = budgets.held(30)
    teller.after_fork()  # as in the child, where the parent's thread isn't
    teller.start()
    assert teller._thread is not parents
    budgets.settle(held, 30)
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 10)
    assert len({claim.holder for claim in lender.claims}) == 2
    bell.put(None)
    assert parents is not None
    parents.join(30)


def test_a_router_that_is_let_go_of_loses_nothing_and_leaves_no_thread(
    lender: Lender, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tellers, "ROUND_S", 0.01)
    budgets = Process(lender, clock)
    teller = Teller(budgets)
    hold = budgets.held(10)
    budgets.settle(hold, 10)
    teller.start()
    thread, gone = teller._thread, weakref.ref(teller)
    del hold, budgets, teller
    assert thread is not None
    assert comes(lambda: gc.collect() >= 0 and not thread.is_alive())
    assert gone() is None
    assert heard(lender) == 10


def test_a_defect_is_logged_and_the_next_round_tells_it(
    budgets: Process, lender: Lender, teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    hold = budgets.held(10)

    def fails() -> None:
        raise ValueError("odd")

    lender.before = lender.once(fails)
    teller.start()
    budgets.settle(hold, 10)
    assert comes(lambda: "could not be told" in caplog.text)
    assert [record.name for record in caplog.records] == ["capability_router"]
    assert budgets.spend(10)
    assert comes(lambda: heard(lender) == 20)


# -- the bell -------------------------------------------------------------------------------------


def rung(*who: Any) -> SimpleQueue[Any]:
    bell: SimpleQueue[Any] = SimpleQueue()
    for each in who:
        bell.put(each)
    return bell


def test_all_that_rang_make_one_round(budgets: Process) -> None:
    first, last = Teller(budgets), Teller(budgets)
    bell = rung(first, last)
    assert tellers._rung(bell, 0.0) == (True, last)
    assert bell.empty()


def test_the_end_is_heard_with_who_rang_before_it(budgets: Process) -> None:
    teller = Teller(budgets)
    assert tellers._rung(rung(teller, None), 0.0) == (False, teller)
    assert tellers._rung(rung(None), 0.0) == (False, None)


def test_nobody_rang_within_the_time() -> None:
    assert tellers._rung(rung(), 0.0) == (True, None)


def test_a_last_round_is_made_before_the_end(budgets: Process, lender: Lender) -> None:
    teller = Teller(budgets)
    assert budgets.spend(10)
    assert heard(lender) == 0
    tellers._run(rung(teller, None), weakref.ref(teller))
    assert heard(lender) == 10


def test_it_rests_a_moment_after_each_round_but_the_last(budgets: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls in quick succession make one round."""
    teller = Teller(budgets)
    bell, rests = rung(teller), []

    class Pause:
        def wait(self, seconds: float) -> None:
            rests.append(seconds)
            bell.put(None)

    monkeypatch.setattr(tellers.threading, "Event", Pause)
    tellers._run(bell, weakref.ref(teller))
    assert rests == [0.01]
