"""What is handed in is worked off under the lock, and handing in never waits."""

from __future__ import annotations

import gc
import threading

import pytest

from capability_router import Request
from capability_router.concurrency import deferring_lock
from capability_router.concurrency.deferring_lock import LONG, DeferringLock
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router


def test_what_its_holder_hands_in_is_worked_off_when_the_lock_is_free() -> None:
    done: list[int] = []
    box: DeferringLock[int] = DeferringLock(done.append)
    with box:
        box.post(1)
        assert done == []
    assert done == [1]


def test_threads_lose_nothing() -> None:
    done: list[int] = []
    box: DeferringLock[int] = DeferringLock(done.append)

    def work() -> None:
        for i in range(2_000):
            if i % 3:
                box.post(i)
            else:
                with box:
                    done.append(i)

    threads = [threading.Thread(target=work) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(done) == 12_000


def test_work_that_raises_leaves_the_lock_free() -> None:
    box: DeferringLock[int] = DeferringLock(lambda item: 1 // item)
    with pytest.raises(ZeroDivisionError):
        box.post(0)
    with box:
        box.post(0)
        box._line.clear()


def test_a_stream_closed_by_the_garbage_collector_waits_for_no_lock() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 1e6, "window": "day"}])
    thresholds = gc.get_threshold()

    def abandon() -> None:
        for _ in range(400):
            endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)  # type: ignore[attr-defined]
            chunks = iter(router.start(Request(("x",), stream=True), endpoint))
            next(chunks)
            cycle: list[object] = [chunks]
            cycle.append(cycle)
            del chunks, cycle, endpoint
            router.ledger.total(by=("tenant",))
            router.budgets.rows()

    gc.set_threshold(3, 2, 2)
    try:
        thread = threading.Thread(target=abandon, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "the collector closed a stream under a lock that closing it needs"
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert_books_balanced(router)


def test_whoever_finds_the_line_long_gives_the_holder_its_turn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(deferring_lock, "_pause", lambda: pauses.append(1))
    done: list[int] = []
    box: DeferringLock[int] = DeferringLock(done.append)
    with box:
        for i in range(LONG):
            box.post(i)
        assert pauses == []
        box.post(LONG)
        box.post(LONG + 1)
        assert len(pauses) == 2  # once for each item beyond
    assert done == list(range(LONG + 2))
    box.post(LONG + 2)
    assert len(pauses) == 2


def test_what_was_handed_in_earlier_is_done_earlier() -> None:
    done: list[str] = []
    lock = DeferringLock(done.append)
    assert lock.take()
    lock.post("first")
    lock.release()  # as a holder does whose thread then loses its turn: the line is not worked off yet
    assert not done
    lock.post("second")
    assert done == ["first", "second"]
