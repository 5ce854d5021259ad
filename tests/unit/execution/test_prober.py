"""Models whose breaker is open are asked by a thread of each process's own."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from capability_router import BudgetExceeded, RouterBusy
from capability_router.address import Address
from capability_router.execution.prober import Prober
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Verdict
from capability_router.testing import ManualClock

OPENED = HealthEvent("breaker_opened", "m", "", 0.0)
DOWN = Verdict(False, blame="breaker")


class Owner:
    """Its one model is due at once, and each probe hangs."""

    def __init__(self) -> None:
        self.board, self.clock = self, ManualClock()
        self.asked, self.over = threading.Event(), threading.Event()

    def reopens_at(self, id: str) -> float | None:
        return None if self.over.is_set() else 0.0

    def probe(self, id: str) -> None:
        self.asked.set()
        self.over.wait(30)


def test_where_no_thread_can_be_begun_the_next_that_is_shut_off_begins_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    owner: Any = Owner()
    prober = Prober(owner, {"m"})
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        prober.heard(OPENED)
    prober.heard(OPENED)
    assert owner.asked.wait(30)
    owner.over.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_probes_by_itself() -> None:
    owner: Any = Owner()
    prober = Prober(owner, {"m"})
    prober.heard(OPENED)
    assert owner.asked.wait(30)
    child = os.fork()
    if child == 0:
        owner.asked, owner.over = threading.Event(), threading.Event()
        prober.heard(OPENED)
        os._exit(0 if owner.asked.wait(10) else 1)
    owner.over.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_it_may_hear_of_a_breaker_that_opens_while_it_asks_when_another_closes() -> None:
    """Verdicts are settled by whoever takes the board's lock next: that may be the prober, which then hears of it."""
    owner: Any = Owner()
    owner.board = HealthBoard(BreakerConfig(consecutive=1), seed=1, on_event=lambda event: prober.heard(event))
    prober = Prober(owner, {"a", "b"})
    prober._running = True  # no thread of its own
    for id in "ab":
        owner.board.register(id, Address(f"http://{id}", id))
    failed = [owner.board.admit(id, 1.0) for id in "ab"]
    owner.board.settle(failed[0], DOWN, 1.0)
    assert owner.board._lock.take()
    owner.board.settle(failed[1], DOWN, 1.0)  # another thread has the lock
    owner.board._lock._lock.release()  # and has looked at the queue before it came
    asking = threading.Thread(target=prober._turn, daemon=True)
    asking.start()
    asking.join(10)
    assert not asking.is_alive()
    assert prober._open == {"a", "b"}


def test_it_goes_on_with_what_it_heard_while_nothing_else_was_left_to_ask() -> None:
    owner: Any = Owner()
    shut: dict[str, float] = {"b": 9.0}

    def reopens_at(id: str) -> float | None:
        if id == "a":
            prober.heard(HealthEvent("breaker_opened", "b", "", 0.0))
        return shut.get(id)

    owner.reopens_at = reopens_at
    prober = Prober(owner, {"a", "b"})
    prober._running, prober._open = True, {"a"}
    assert prober._turn() == 0.5
    assert (prober._open, prober._running) == ({"b"}, True)
    shut.clear()
    assert prober._turn() is None
    assert (prober._open, prober._running) == (set(), False)


@pytest.mark.parametrize("unsent", [RouterBusy("full"), BudgetExceeded("spent", scope="global"), ValueError("odd")])
def test_a_probe_that_was_not_sent_is_made_later(unsent: Exception) -> None:
    """No breaker opens again by it, so nobody would tell the prober."""
    owner: Any = Owner()
    failing, asked = [unsent], list[str]()

    def probe(id: str) -> None:
        asked.append(id)
        if failing:
            raise failing.pop()
        owner.over.set()

    owner.probe = probe
    prober = Prober(owner, {"m"})
    prober._running, prober._open = True, {"m"}
    assert prober._turn() == 10.0
    assert (prober._open, prober._running) == ({"m"}, True)
    assert prober._turn() == 0.0
    assert asked == ["m", "m"]
    assert prober._turn() is None
    assert not prober._running


def test_it_may_hear_of_another_breaker_while_it_takes_one_in() -> None:
    """The garbage collector may end a request at any step, and with it the board may have an event to send."""
    prober = Prober(Owner(), {"m", "n"})
    prober._running = True  # no thread of its own

    class Collected(set[str]):
        def add(self, id: str) -> None:
            if id == "m":
                prober.heard(HealthEvent("breaker_opened", "n", "", 0.0))
            super().add(id)

    prober._open = Collected()
    hearing = threading.Thread(target=prober.heard, args=(OPENED,), daemon=True)
    hearing.start()
    hearing.join(10)
    assert not hearing.is_alive(), "it waits for itself"
    assert prober._open == {"m", "n"}
