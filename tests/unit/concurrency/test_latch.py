from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from capability_router.concurrency import latch as latches
from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.concurrency.latch import Latch, ReentrantLatch

KINDS = (Latch, ReentrantLatch)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads lose their turn as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def all_of(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("kind", KINDS)
def test_one_thread_at_a_time(kind: type[Latch] | type[ReentrantLatch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latches, "_LOOK_S", 600.0)  # who is not told hangs
    latch, inside, seen = kind(), [0], []

    def work() -> None:
        for _ in range(2_000):
            with latch:
                inside[0] += 1
                seen.append(inside[0])
                inside[0] -= 1

    all_of(8, work)
    assert (len(seen), set(seen)) == (16_000, {1})
    assert latch._lock.acquire(False)
    assert not latch._waiting


def test_it_is_taken_where_it_is_free_and_not_twice() -> None:
    latch = Latch()
    assert latch.take()
    assert latch.locked()
    assert not latch.take()
    latch.release()
    assert not latch.locked()


@pytest.mark.usefixtures("restless")
def test_an_inner_latch_is_taken_again_by_its_own_thread_alone() -> None:
    latch, depth = ReentrantLatch(), [0]

    def work() -> None:
        for _ in range(500):
            with latch:
                depth[0] += 1
                with latch, latch:
                    assert depth[0] == 1
                assert depth[0] == 1
                depth[0] -= 1

    all_of(6, work)
    assert depth == [0]
    all_of(1, lambda: latch.__enter__())  # another thread's: nobody has it any more


class Collecting:
    """A lock after whose taking the garbage collector comes, before anything else is done: Python 3.12 may so."""

    def __init__(self, lock: Any, ended: Callable[[], object]) -> None:
        self._lock, self._ended = lock, [ended]

    def acquire(self, *how: Any) -> bool:
        taken = bool(self._lock.acquire(*how))
        if taken and self._ended:
            self._ended.pop()()
        return taken

    def release(self) -> None:
        self._lock.release()


def test_the_collector_may_come_as_soon_as_an_inner_latch_is_taken() -> None:
    latch, ended = ReentrantLatch(), []

    def another() -> None:
        with latch:
            ended.append("another's request")

    latch._lock = Collecting(latch._lock, another)

    def work() -> None:
        with latch:
            ended.append("its own")

    all_of(1, work)
    assert ended == ["another's request", "its own"]


class Interrupted:
    """In the place of the lock at which a waiting thread waits: the wait is interrupted."""

    def __init__(self, told: Callable[[], object]) -> None:
        self._waits, self._told = False, told

    def acquire(self, *_: Any, timeout: float = 0.0) -> bool:
        if self._waits:
            self._told()
            raise KeyboardInterrupt
        self._waits = True
        return True

    def release(self) -> None:
        """Told, and too late."""


def test_who_is_interrupted_hands_on_what_he_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock was given back, and its next told, when the interrupt came: the one behind must hear of it."""
    latch = Latch()
    assert latch.take()
    behind = threading.Lock()
    behind.acquire()

    def given_back() -> None:
        latch._waiting.append(behind)
        latch.release()

    monkeypatch.setattr(latches, "Lock", lambda: Interrupted(given_back))
    with pytest.raises(KeyboardInterrupt), latch:
        raise AssertionError("never entered")
    assert not behind.locked()
    assert not latch.locked()
    assert not latch._waiting


def test_who_was_not_told_looks_by_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it came about that another one was told in its place."""
    monkeypatch.setattr(latches, "_LOOK_S", 0.001)
    latch, entered = Latch(), threading.Event()
    assert latch.take()

    def enter() -> None:
        with latch:
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    while not latch._waiting:
        threading.Event().wait(0.001)
    latch._lock.release()  # and nobody is told
    assert entered.wait(30)
    thread.join(30)
    assert not latch._waiting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("make", [Latch, ReentrantLatch, lambda: DeferringLock(print)])
def test_a_forked_child_waits_for_no_thread_of_its_parent(make: Callable[[], Latch | ReentrantLatch]) -> None:
    latch, held, over = make(), threading.Event(), threading.Event()

    def hold() -> None:
        with latch:
            held.set()
            over.wait(30)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if latch._lock.acquire(False) else 1)
    over.set()
    thread.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert latch._lock.acquire(False)
