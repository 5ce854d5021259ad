from __future__ import annotations

import asyncio
import threading

from capability_router.clock import ManualClock
from capability_router.concurrency.wakeup import Wakeup

LONG_S = 600.0


def test_who_waits_in_a_thread_hears_it_at_once() -> None:
    wakeup = Wakeup()
    waiting = threading.Thread(target=wakeup.wait, args=(LONG_S,), daemon=True)
    waiting.start()
    wakeup.tell()
    waiting.join(30)
    assert not waiting.is_alive()
    wakeup.tell()  # says nothing more
    wakeup.wait(LONG_S)  # it was given already


async def test_who_waits_in_a_task_hears_it_from_any_thread() -> None:
    wakeup = Wakeup()
    waiting = asyncio.create_task(wakeup.await_(LONG_S))
    await asyncio.sleep(0)
    teller = threading.Thread(target=wakeup.tell)
    teller.start()
    async with asyncio.timeout(30):
        await waiting
    teller.join(30)
    async with asyncio.timeout(30):
        await wakeup.await_(LONG_S)


async def test_without_it_the_time_is_waited_for() -> None:
    wakeup = Wakeup()
    wakeup.wait(0.001)
    await wakeup.await_(0.001)
    assert not wakeup.told


def test_nobody_minds_that_a_loop_is_closed_or_a_task_has_gone_away() -> None:
    wakeup = Wakeup()

    async def cancelled() -> None:
        waiting = asyncio.create_task(wakeup.await_(LONG_S))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def told_too_late() -> None:
        await cancelled()
        wakeup.tell()
        await asyncio.sleep(0)

    asyncio.run(cancelled())
    assert not wakeup.told
    asyncio.run(told_too_late())
    assert wakeup.told


def test_a_clock_that_is_moved_by_hand_waits_only_for_what_was_not_given() -> None:
    clock, wakeup = ManualClock(), Wakeup()
    clock.stand(wakeup, 3.0)
    assert clock.now() == 3.0
    wakeup.tell()
    clock.stand(wakeup, 3.0)
    assert clock.now() == 3.0


async def test_it_does_so_asynchronously() -> None:
    clock, wakeup = ManualClock(), Wakeup()
    await clock.astand(wakeup, 3.0)
    wakeup.tell()
    await clock.astand(wakeup, 3.0)
    assert clock.now() == 3.0
