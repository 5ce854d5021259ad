from __future__ import annotations

import asyncio
import threading

from capability_router.clock import ManualClock
from capability_router.concurrency.summons import Summons

LONG_S = 600.0


def test_who_waits_in_a_thread_hears_it_at_once() -> None:
    summons = Summons()
    waiting = threading.Thread(target=summons.wait, args=(LONG_S,), daemon=True)
    waiting.start()
    summons.tell()
    waiting.join(30)
    assert not waiting.is_alive()
    summons.tell()  # says nothing more
    summons.wait(LONG_S)  # it was given already


async def test_who_waits_in_a_task_hears_it_from_any_thread() -> None:
    summons = Summons()
    waiting = asyncio.create_task(summons.await_(LONG_S))
    await asyncio.sleep(0)
    teller = threading.Thread(target=summons.tell)
    teller.start()
    async with asyncio.timeout(30):
        await waiting
    teller.join(30)
    async with asyncio.timeout(30):
        await summons.await_(LONG_S)


async def test_without_it_the_time_is_waited_for() -> None:
    summons = Summons()
    summons.wait(0.001)
    await summons.await_(0.001)
    assert not summons.told


def test_nobody_minds_that_a_loop_is_closed_or_a_task_has_gone_away() -> None:
    summons = Summons()

    async def cancelled() -> None:
        waiting = asyncio.create_task(summons.await_(LONG_S))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def told_too_late() -> None:
        await cancelled()
        summons.tell()
        await asyncio.sleep(0)

    asyncio.run(cancelled())
    assert not summons.told
    asyncio.run(told_too_late())
    assert summons.told


def test_a_clock_that_is_moved_by_hand_waits_only_for_what_was_not_given() -> None:
    clock, summons = ManualClock(), Summons()
    clock.stand(summons, 3.0)
    assert clock.now() == 3.0
    summons.tell()
    clock.stand(summons, 3.0)
    assert clock.now() == 3.0


async def test_it_does_so_asynchronously() -> None:
    clock, summons = ManualClock(), Summons()
    await clock.astand(summons, 3.0)
    summons.tell()
    await clock.astand(summons, 3.0)
    assert clock.now() == 3.0
