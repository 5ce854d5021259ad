"""Threads whose attempts were given up, in the child of a fork: they are the parent's."""

from __future__ import annotations

import os
import threading

import pytest

from capability_router.sdks.abandoned_responses import ABANDONED


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ABANDONED._lock:
            held.set()
            over.wait(30)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if ABANDONED._lock.acquire(blocking=False) else 1)
    over.set()
    thread.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
