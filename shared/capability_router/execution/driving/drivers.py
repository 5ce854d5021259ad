"""The two drivers, sync and async: they perform the state machine's effects.

Both yield the chunks of the committed attempt only. They share `EffectRunner`. They differ in how they wait for a
chunk, and how a timeout ends the wait. An async wait can always be ended. A blocking read can't: so an attempt runs in
the caller's thread if it enforces its timeouts itself or has none, else in a thread of its own (race.py). With hedging,
and in a thread of another router's attempt, which may be given up, every attempt runs in its own thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from types import coroutine
from typing import TypeVar

from capability_router.clock import Clock
from capability_router.concurrency.async_generators import END, first_step
from capability_router.concurrency.loop_lag import watch
from capability_router.execution.driving.chunk_timeout import ChunkTimeout
from capability_router.execution.driving.effect_runner import AlarmExpired, EffectRunner, ReaderOverrun
from capability_router.execution.driving.outer_attempt import ENCLOSING, NOBODY
from capability_router.execution.driving.race import arace, race
from capability_router.execution.endpoint import Attempt, Endpoint, aclosable, closable
from capability_router.execution.machine import Execution

C = TypeVar("C")


def drive(
    machine: Execution, endpoint: Endpoint[C], clock: Clock, on_end: Callable[[], None]
) -> Generator[C, None, None]:
    """Carry out a request in the caller's thread; `on_end` is always called at its end."""
    show: EffectRunner[C] = EffectRunner(machine, endpoint, clock)
    try:
        show.begin()
        if machine.races:
            yield from race(show)
        while show.running:
            if not show.launches:
                show.wait_turn()
            for index, attempt in show.started():
                alone = (attempt.keeps_time or not show.timed) and ENCLOSING.get() is NOBODY
                yield from _attempt(show, index, attempt) if alone else race(show, (index, attempt))
        yield from show.held()
        show.check()
    finally:
        try:
            show.cancel()
        finally:
            on_end()


def _attempt(show: EffectRunner[C], index: int, attempt: Attempt[C]) -> Generator[C, None, None]:
    try:
        show.sends(index)
        chunks = closable(attempt.chunks())
        try:
            for chunk in chunks:
                if show.took(index, chunk):
                    yield from show.held()
                    break
                show.in_time()
            for chunk in chunks:
                show.goes_on(index, chunk)
                late = show.late and show.may_continue_late(index)
                yield chunk
                _ring(late)
        finally:
            chunks.close()
    except AlarmExpired as rang:
        show.rang(by_reader=isinstance(rang, ReaderOverrun))
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(index, error)
    else:
        show.ended(index)


async def adrive(
    machine: Execution, endpoint: Endpoint[C], clock: Clock, on_end: Callable[[], None]
) -> AsyncGenerator[C, None]:
    """Carry out a request in the caller's task; `on_end` is always called at its end.

    One long function, because every nested async generator costs time for each chunk, and every `aclosing` for each
    call.

    The first attempt begins in the next turn of the event loop, and so does a further one on another server. So many
    requests made at once are first all planned and then all sent, which keeps the code in the processor's cache
    (docs/performance.md). There is no turn between a plan and its permits, so that each request sees what those before
    it have taken. A further attempt on the same server begins at once: after another turn, calls that failed together
    would first all return their connections, and httpx's pool would search these idle connections for each call.
    """
    show: EffectRunner[C] = EffectRunner(machine, endpoint, clock)
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
                await _turn(show.moves)
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
def _turn(moves: bool) -> Generator[None, None, None]:
    """Before an attempt on another server, wait for the next turn of the event loop, as `asyncio.sleep(0)` does."""
    if moves:
        yield


def _ring(late: bool) -> None:
    if late:
        raise ReaderOverrun


async def _aattempt(show: EffectRunner[C], index: int, attempt: Attempt[C]) -> AsyncGenerator[C, None]:
    delivering = False
    waits: ChunkTimeout[C] = ChunkTimeout(show)
    try:
        show.sends(index)
        chunks = aclosable(attempt.achunks())
        try:
            step = first_step(chunks)
            while (chunk := await waits.within(step)) is not END:
                if delivering:
                    show.goes_on(index, chunk)
                    late = waits.late and show.may_continue_late(index)
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
    except AlarmExpired as rang:
        show.rang(by_reader=isinstance(rang, ReaderOverrun))
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(index, error)
    else:
        show.ended(index)
