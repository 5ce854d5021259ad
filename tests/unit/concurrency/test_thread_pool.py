"""Threads that are kept for the next attempt: reuse, names, what is never kept, and what is left when nobody comes."""

import gc
import os
import threading
import weakref

import pytest

from capability_router.concurrency.thread_pool import ThreadPool, Work

TIMEOUT_S = 20.0
LONG_S = 3600.0


class Done:
    """Work that notes its thread, and waits where it is told to."""

    def __init__(self, kept: bool = True, wait: bool = False) -> None:
        self.kept, self.may_end, self.begun = kept, threading.Event(), threading.Event()
        if not wait:
            self.may_end.set()

    def __call__(self) -> bool:
        self.thread, self.name = threading.current_thread(), threading.current_thread().name
        self.begun.set()
        assert self.may_end.wait(TIMEOUT_S)
        return self.kept


def until_idle(pool: ThreadPool, count: int = 1) -> None:
    while len(pool._idle) < count:
        threading.Event().wait(0.001)


def done(pool: ThreadPool, work: Done) -> Done:
    pool.begin("mine", work)
    assert work.begun.wait(TIMEOUT_S)
    return work


def test_a_thread_that_has_ended_its_work_takes_the_next_under_its_own_name():
    pool = ThreadPool(LONG_S)
    first = done(pool, Done())
    until_idle(pool)
    assert (first.name, first.thread.name, first.thread.daemon) == ("mine", "router thread, idle", True)
    second = Done()
    assert pool.begin("other", second) is first.thread
    assert second.begun.wait(TIMEOUT_S)
    assert (second.thread, second.name) == (first.thread, "other")


def test_work_that_hangs_keeps_its_thread_and_nobody_waits_for_it():
    pool = ThreadPool(LONG_S)
    hung = done(pool, Done(wait=True))
    other = done(pool, Done())
    assert other.thread is not hung.thread
    hung.may_end.set()
    until_idle(pool, 2)


def test_a_thread_whose_work_says_so_ends():
    pool = ThreadPool(LONG_S)
    last = done(pool, Done(kept=False))
    last.thread.join(TIMEOUT_S)
    assert not last.thread.is_alive()
    assert repr(pool) == "<ThreadPool, 0 idle>"


def test_the_one_that_was_idle_last_is_taken_first():
    pool = ThreadPool(LONG_S)
    works = [done(pool, Done(wait=True)) for _ in range(3)]
    for number, work in enumerate(works):
        work.may_end.set()
        until_idle(pool, number + 1)
    again = done(pool, Done(wait=True))
    assert again.thread is works[-1].thread
    assert repr(pool) == "<ThreadPool, 2 idle>"
    again.may_end.set()


def test_one_that_nobody_needs_ends():
    pool = ThreadPool(0.01)
    work = done(pool, Done())
    work.thread.join(TIMEOUT_S)
    assert not work.thread.is_alive()
    assert repr(pool) == "<ThreadPool, 0 idle>"
    assert done(pool, Done()).thread is not work.thread


def test_one_that_is_chosen_when_its_time_is_over_does_its_work():
    pool = ThreadPool(0.01)
    work = done(pool, Done())
    hand = None
    while hand is None:
        until_idle(pool)
        hand = next(iter(pool._idle), None)
    pool._idle.clear()  # as `begin` does; what it chose is given the work when the thread has waited in vain
    work.thread.join(0.1)
    assert work.thread.is_alive()
    late = Done(kept=False)
    hand.inbox.put(late)
    assert late.begun.wait(TIMEOUT_S)
    assert late.thread is work.thread


def test_an_idle_thread_holds_nothing_of_its_last_work():
    pool, work = ThreadPool(LONG_S), Done()
    done(pool, work)
    until_idle(pool)
    again = Done()
    pool.begin("mine", again)
    assert again.begun.wait(TIMEOUT_S)
    until_idle(pool)
    left = [weakref.ref(work), weakref.ref(again)]
    del work, again
    gc.collect()
    assert [ref() for ref in left] == [None, None]


def test_many_at_once_lose_no_work():
    pool, counted, lock = ThreadPool(0.0), [0], threading.Lock()

    def count() -> bool:
        with lock:
            counted[0] += 1
        return True

    def ask() -> None:
        for _ in range(200):
            pool.begin("mine", count)

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(TIMEOUT_S)
    while counted[0] < 1600:
        threading.Event().wait(0.001)
    assert counted == [1600]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_begins_its_own_threads():
    from capability_router.concurrency.thread_pool import THREADS

    def nothing() -> bool:
        return True

    work: Work = nothing
    THREADS.begin("mine", work)
    until_idle(THREADS)
    child = os.fork()
    if not child:
        seen = threading.Event()

        def note() -> bool:
            seen.set()
            return False

        THREADS.begin("mine", note)
        os._exit(0 if seen.wait(TIMEOUT_S) else 1)
    assert os.waitpid(child, 0)[1] == 0
