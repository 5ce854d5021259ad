"""The two drivers: they perform the machine's effects, one in the caller's thread, one in its task.

Both yield the chunks of the committed attempt only. What they share is `Performance`; what differs
is how a chunk is awaited and how an alarm can interrupt that wait: in async any wait is bounded; in
sync a blocking read can't be interrupted, so an attempt that keeps its clocks itself is made in the
caller's thread, and one that doesn't, under a clock, in a thread of its own (race.py). So is every
attempt where two may be in flight at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from types import coroutine
from typing import TypeVar

from capability_router.clock import Clock
from capability_router.concurrency.loop_lag import watch
from capability_router.concurrency.unlisted import END, first_step
from capability_router.execution.driving.performance import Performance, Rang
from capability_router.execution.driving.race import arace, race
from capability_router.execution.driving.waits import Waits
from capability_router.execution.endpoint import Attempt, Endpoint, aclosable, closable
from capability_router.execution.machine import Execution

C = TypeVar("C")


def drive(
    machine: Execution, endpoint: Endpoint[C], clock: Clock, on_end: Callable[[], None]
) -> Generator[C, None, None]:
    """Perform an execution in the caller's thread; `on_end` is called when it is over, however it ends."""
    show: Performance[C] = Performance(machine, endpoint, clock)
    try:
        show.begin()
        if machine.races:
            yield from race(show)
        while show.running:
            if not show.launches:
                show.wait_turn()
            for index, attempt in show.started():
                alone = attempt.keeps_time or not show.timed
                yield from _attempt(show, index, attempt) if alone else race(show, (index, attempt))
        yield from show.held()
        show.check()
    finally:
        try:
            show.cancel()
        finally:
            on_end()


def _attempt(show: Performance[C], index: int, attempt: Attempt[C]) -> Generator[C, None, None]:
    try:
        chunks = closable(attempt.chunks())
        try:
            for chunk in chunks:
                if show.took(index, chunk):
                    yield from show.held()
                    break
                show.in_time()
            for chunk in chunks:
                show.goes_on(index, chunk)
                late = show.late
                yield chunk
                _ring(late)
        finally:
            chunks.close()
    except Rang:
        show.rang()
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(index, error)
    else:
        show.ended(index)


async def adrive(
    machine: Execution, endpoint: Endpoint[C], clock: Clock, on_end: Callable[[], None]
) -> AsyncGenerator[C, None]:
    """Perform an execution in the caller's task; every wait is bounded by the machine's alarm.

    Written in one piece as far as can be: each async generator within another costs every call and every chunk, and
    each `aclosing` every call.

    A request's first attempt begins in a turn of the loop of its own. Of many requests at once all are then planned,
    one after the other, and after that all sent: the same code runs many times over while the processor has it at hand
    (docs/performance.md). Between a plan and its permits there is no turn: each sees what those before it have chosen.
    A further attempt begins at once: in a turn more, calls that failed together would give all their connections back
    before the first of them takes one again, and httpx's pool looks at each idle one, for each of them.
    """
    show: Performance[C] = Performance(machine, endpoint, clock)
    seen = watch()
    seen.enter()
    try:
        show.begin()
        if machine.races:
            async with aclosing(arace(show)) as chunks:
                step = first_step(chunks)
                while (chunk := await step) is not END:
                    yield chunk
                    step = anext(chunks, END)
        while show.running:
            if not show.launches:
                await show.await_turn()
            for index, attempt in show.started():
                await _turn(index)
                pieces = _aattempt(show, index, attempt)
                step = first_step(pieces)
                try:
                    while (chunk := await step) is not END:
                        yield chunk
                        step = anext(pieces, END)
                finally:
                    await pieces.aclose()
        for chunk in show.held():
            yield chunk
        show.check()
    finally:
        try:
            show.cancel()
        finally:
            seen.leave()
            on_end()


@coroutine
def _turn(index: int) -> Generator[None, None, None]:
    """A turn of the loop before the first attempt, as `asyncio.sleep(0)` makes one."""
    if index == 1:
        yield


def _ring(late: bool) -> None:
    if late:
        raise Rang


async def _aattempt(show: Performance[C], index: int, attempt: Attempt[C]) -> AsyncGenerator[C, None]:
    delivering = False
    waits: Waits[C] = Waits(show)
    try:
        chunks = aclosable(attempt.achunks())
        try:
            step = first_step(chunks)
            while (chunk := await waits.within(step)) is not END:
                if delivering:
                    show.goes_on(index, chunk)
                    late = waits.late and show.goes_on_late(index)
                    yield chunk
                    _ring(late)
                elif show.took(index, chunk):
                    delivering = True
                    for held in show.held():
                        yield held
                step = anext(chunks, END)
        finally:
            waits.over()
            await chunks.aclose()
    except Rang:
        show.rang()
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(index, error)
    else:
        show.ended(index)
