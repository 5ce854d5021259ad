"""Models whose breaker is open are asked by a thread of each process's own."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from capability_router.execution.probing import Prober
from capability_router.health.board import HealthEvent
from capability_router.testing import ManualClock

OPENED = HealthEvent("breaker_opened", "m", "", 0.0)


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
