"""The thread in whose loop answers are evaluated, as the process ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from capability_router.evaluation import loop_thread as module
from capability_router.evaluation.loop_thread import LoopThread, _LoopReader


def test_a_loop_that_has_just_been_closed_needs_no_halt() -> None:
    """A loop may end while the process does; an error here would keep the readers after it from being halted."""
    loop = asyncio.new_event_loop()
    resident = _LoopReader(loop)
    loop.close()
    resident.halt()
    assert resident.halted


def test_a_loop_that_an_evaluator_blocks_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STOPPING_S", 0.01)
    blocked, go, thread = threading.Event(), threading.Event(), LoopThread()

    def blocks() -> None:
        blocked.set()
        assert go.wait(30)

    first, its_thread = thread.loop(), thread._thread
    first.call_soon_threadsafe(blocks)
    assert blocked.wait(30)
    thread.stop()
    assert "an evaluator blocks its event loop" in caplog.text
    later = thread.loop()
    assert later is not first
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "goes on"), later).result(30) == "goes on"
    go.set()
    assert its_thread is not None
    its_thread.join(30)
    assert first.is_closed()
    thread.stop()
