"""The thread in whose loop answers are evaluated, as the process ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from capability_router.evaluation import loop_thread as module
from capability_router.evaluation.loop_thread import LoopThread, _Run


def test_a_loop_that_has_just_been_closed_needs_no_halt() -> None:
    """A loop may end while the process does; an error here would keep the readers after it from being halted."""
    loop = asyncio.new_event_loop()
    run = _Run(loop)
    loop.close()
    run.halt()
    assert run.halted


def test_a_loop_that_several_stop_at_once_ends_its_tasks_whole() -> None:
    """As the process ends, the owner and the readers' halt both do: the second stop must not end the first's work."""
    thread, began, ended = LoopThread(), threading.Event(), threading.Event()

    async def cleans_up() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            run.halt()
            await asyncio.sleep(0.01)
            ended.set()

    loop, run = thread.loop(), thread._run
    assert run is not None
    asyncio.run_coroutine_threadsafe(cleans_up(), loop)
    assert began.wait(30)
    thread.stop()
    assert ended.is_set()
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "again"), thread.loop()).result(30) == "again"
    thread.stop()


def test_a_loop_is_closed_with_its_owner() -> None:
    thread = LoopThread()
    loop = thread.loop()
    its_thread = thread._run.thread if thread._run is not None else None
    assert its_thread is not None
    del thread
    its_thread.join(30)
    assert loop.is_closed()
    stopped = LoopThread()
    loop = stopped.loop()
    stopped.stop()
    assert not loop.is_closed()
    del stopped
    assert loop.is_closed()


def test_a_loop_that_an_evaluator_blocks_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STOPPING_S", 0.01)
    blocked, go, thread = threading.Event(), threading.Event(), LoopThread()

    def blocks() -> None:
        blocked.set()
        assert go.wait(30)

    first = thread.loop()
    its_thread = thread._run.thread if thread._run is not None else None
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
