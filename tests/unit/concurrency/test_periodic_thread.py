"""A thread that is rung for: what it hears, and that it can be stopped and started at any moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from capability_router.concurrency.periodic_thread import PeriodicThread, ThreadSignal

LONG_S = 30.0


def rung(*who: str) -> ThreadSignal[str]:
    bell = ThreadSignal[str]()
    for each in who:
        bell.ring(each)
    return bell


def test_all_that_rang_are_heard_at_once() -> None:
    bell = rung("first", "last")
    assert bell.heard(LONG_S) == "last"
    assert bell.heard(0.0) is None


def test_the_end_is_heard_with_who_rang_before_it() -> None:
    bell = rung("somebody")
    bell.end()
    assert bell.heard(LONG_S) == "somebody"
    assert bell.ended.is_set()
    bell.end()
    assert bell.heard(LONG_S) is None


class Worker:
    """Hears rings until it is to end; what it heard, by thread."""

    def __init__(self) -> None:
        self.heard: list[tuple[threading.Thread, str]] = []
        self.more = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.let_go.set()

    def work(self, bell: ThreadSignal[str]) -> None:
        while not bell.ended.is_set():
            if (who := bell.heard(LONG_S)) is not None:
                self.heard.append((threading.current_thread(), who))
                self.more.release()
                assert self.let_go.wait(LONG_S)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def rounds(worker: Worker) -> Any:
    made = PeriodicThread[str]("rounds", worker.work)
    yield made
    worker.let_go.set()
    made.stop()


def running(rounds: PeriodicThread[str]) -> threading.Thread:
    assert rounds._thread is not None
    return rounds._thread


def test_it_is_started_once_and_keeps_no_process_alive(rounds: PeriodicThread[str]) -> None:
    assert [rounds.start() for _ in range(3)] == [True, False, False]
    assert (running(rounds).name, running(rounds).daemon) == ("rounds", True)


def test_who_rang_before_it_began_is_heard(rounds: PeriodicThread[str], worker: Worker) -> None:
    rounds.ring("early")
    rounds.start()
    assert worker.more.acquire(timeout=LONG_S)
    assert worker.heard == [(running(rounds), "early")]


def test_one_that_is_begun_while_the_last_one_ends_is_another_and_stays(
    rounds: PeriodicThread[str], worker: Worker
) -> None:
    worker.let_go.clear()
    rounds.start()
    first = running(rounds)
    rounds.ring("slow")
    assert worker.more.acquire(timeout=LONG_S)
    stopping = threading.Thread(target=rounds.stop, daemon=True)
    stopping.start()
    while rounds._thread is not None:
        stopping.join(0.001)
    assert rounds.start()
    later = running(rounds)
    worker.let_go.set()
    stopping.join(LONG_S)
    assert not stopping.is_alive()
    assert not first.is_alive()
    rounds.ring("next")
    assert worker.more.acquire(timeout=LONG_S)
    assert worker.heard == [(first, "slow"), (later, "next")]


def test_who_comes_while_another_one_starts_or_stops_it_does_not_wait(rounds: PeriodicThread[str]) -> None:
    with rounds._changing:
        assert not rounds.start()
    assert rounds._thread is None
    assert rounds.start()


def test_without_a_thread_a_later_call_starts_it(rounds: PeriodicThread[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not rounds.start()
        rounds.stop()
    assert rounds.start()


def test_its_own_thread_may_stop_it() -> None:
    stopped = threading.Event()

    def work(bell: ThreadSignal[str]) -> None:
        rounds.stop()
        stopped.set()

    rounds = PeriodicThread[str]("own", work)
    rounds.start()
    assert stopped.wait(LONG_S)
