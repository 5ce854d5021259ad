"""Attempts in threads or tasks of their own, so that the driver can wait for two at once, or until a timeout.

Each attempt has a runner, a thread or a task, that puts its chunks into one queue, `box`. The driver takes them out or
times out. A task can be cancelled. A thread can't: when its attempt is abandoned, its connection is shut if possible
(sdks/abandoned_responses.py), else it reads on until the next chunk or its client's own timeout.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncGenerator, Collection, Generator, Iterable, Sequence
from contextlib import aclosing, closing, suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from capability_router.concurrency.longest_wait import limited
from capability_router.concurrency.thread_pool import THREADS
from capability_router.execution.driving.chunk_timeout import ChunkTimeout
from capability_router.execution.driving.effect_runner import AlarmExpired, EffectRunner
from capability_router.execution.driving.outer_attempt import ENCLOSING, OuterAttempt, OuterAttemptAbandoned
from capability_router.execution.endpoint import Attempt, aclosable, closable
from capability_router.sdks.abandoned_responses import ABANDONED
from capability_router.sdks.reader import Reader
from capability_router.sdks.readers import READERS

C = TypeVar("C")
_AHEAD = 64  # chunks that a runner may be ahead of its reader
_END: Any = object()


class AttemptOutput(NamedTuple):
    """What an attempt gave: a chunk, its end (`_END`), or the error that it raised."""

    attempt: int
    chunk: Any = _END
    error: BaseException | None = None

    @property
    def last(self) -> bool:
        """Whether this is the attempt's end."""
        return self.chunk is _END


OutputQueue = queue.SimpleQueue[AttemptOutput]
_GIVEN_UP = AttemptOutput(0)  # for the whole request


class AttemptThread(Reader, Generic[C]):
    """One attempt in a daemon thread, in a copy of the caller's context.

    A thread whose attempt was abandoned is not reused.
    """

    def __init__(self, index: int, attempt: Attempt[C], box: OutputQueue) -> None:
        self._index, self._attempt, self._box = index, attempt, box
        self._stopped = self._ended = False
        self._given, self._within = 0, OuterAttempt()
        self._taken: queue.SimpleQueue[None] = queue.SimpleQueue()  # a semaphore takes twenty times as long
        READERS.add(self)
        try:
            self.thread = THREADS.begin(f"router attempt {index}", partial(copy_context().run, self._run))
        except RuntimeError:  # the system has no thread left, or the process is ending
            READERS.discard(self)
            raise

    @property
    def gave_all(self) -> bool:
        """Whether its attempt has ended: what is left of it is in the box."""
        return self._ended

    def took(self) -> None:
        """One of its chunks has been taken out of the box: there is room for another."""
        self._taken.put(None)

    def stop(self) -> None:
        """Abandon the attempt. The thread ends by itself, at once if its connection can be shut."""
        self._stopped = True
        self._taken.put(None)
        if not self._ended:
            self._within.give_up()
            ABANDONED.add(self)

    def halt(self) -> None:
        """Stop the thread after its next chunk, or now if it waits for room in the box."""
        self.halted = self._stopped = True
        self._taken.put(None)

    def _run(self) -> bool:
        """Run the attempt; returns whether the thread may be reused."""
        ENCLOSING.set(self._within)
        try:
            return self._read()
        finally:
            READERS.discard(self)

    def _read(self) -> bool:
        try:
            with closing(closable(self._attempt.chunks())) as chunks:
                for chunk in chunks:
                    self._given += 1
                    if self._given > _AHEAD:
                        self._taken.get()
                    if self._stopped:
                        return self._given_up()
                    self._box.put(AttemptOutput(self._index, chunk))
        except BaseException as error:  # noqa: BLE001 - sorted by the driver, which raises what is no provider's fault
            return self._end(AttemptOutput(self._index, error=error))
        return self._end(AttemptOutput(self._index))

    def _given_up(self) -> bool:
        if self.halted:
            READERS.park(self)
        return False

    def _end(self, last: AttemptOutput) -> bool:
        if self.halted:
            READERS.park(self)
        self._ended = True
        kept = not self._stopped  # read before the last `put`, after which the driver always calls `stop`
        self._box.put(last)
        return kept


def race(show: EffectRunner[C], lone: tuple[int, Attempt[C]] | None = None) -> Generator[C, None, None]:
    """Run all launches, each attempt in a thread; if `lone` is given, only that attempt.

    Raises OuterAttemptAbandoned if all this happens in an attempt of another router that was given up.
    """
    box: OutputQueue = queue.SimpleQueue()
    runners: dict[int, AttemptThread[C]] = {}
    around, wake = ENCLOSING.get(), partial(box.put, _GIVEN_UP)
    around.enter(wake)
    try:
        _run(show, () if lone is None else (lone,), runners, box)
        while runners if lone else show.running:
            if lone is None:
                _run(show, show.started(), runners, box)
            if not runners:
                show.wait_turn()
                continue
            if READERS.over and box.empty() and any(runner.halted for runner in runners.values()):
                raise SystemExit("the process is ending: the rest of this answer is not read")
            patience = show.patience_s()
            given = _taken(box, patience)
            if given is not None and given.attempt in runners:
                runners[given.attempt].took()
            chunks = heard(show, given)
            late = patience == 0.0 and _too_late(show, given, [i for i, runner in runners.items() if runner.gave_all])
            yield from chunks
            _end(show, late)
            for index in [i for i in runners if not show.in_flight(i)]:
                runners.pop(index).stop()
    finally:
        around.leave(wake)
        for runner in runners.values():
            runner.stop()


def _run(
    show: EffectRunner[C],
    attempts: Iterable[tuple[int, Attempt[C]]],
    runners: dict[int, AttemptThread[C]],
    box: OutputQueue,
) -> None:
    for index, attempt in attempts:
        runners[index] = AttemptThread(index, attempt, box)
        show.sends(index)


def _taken(box: OutputQueue, patience_s: float | None) -> AttemptOutput | None:
    try:
        given = box.get(timeout=limited(patience_s))
    except queue.Empty:
        return None
    if given is _GIVEN_UP:
        raise OuterAttemptAbandoned
    return given


def _too_late(show: EffectRunner[C], given: AttemptOutput | None, ended: Collection[int]) -> bool:
    """Whether the answer goes on, with this, although its time is over. What has been read to its end may be shown.

    Most attempts know their terminal reason only when its chunk is shown; so `ended` has those that gave all they give.
    """
    if given is None or given.last or given.attempt in ended:
        return False
    return show.may_continue_late(given.attempt, ahead=True)


def _end(show: EffectRunner[C], late: bool) -> None:
    if late:
        show.overran()


def heard(show: EffectRunner[C], given: AttemptOutput | None) -> Sequence[C]:
    """Take in what an attempt gave, or that the alarm rang (None); returns the chunks to yield."""
    if given is None:
        show.rang()
    elif not show.in_flight(given.attempt):
        return []  # a stopped attempt had given this before
    elif given.error is not None:
        show.raised(given.attempt, given.error)
    elif given.last:
        show.ended(given.attempt)
    elif show.delivering == given.attempt:
        show.goes_on(given.attempt, given.chunk)
        return [given.chunk]
    elif show.took(given.attempt, given.chunk):
        return show.held()
    return []


async def arace(show: EffectRunner[C]) -> AsyncGenerator[C, None]:
    """Run all launches, each attempt in a task."""
    box: asyncio.Queue[AttemptOutput] = asyncio.Queue(_AHEAD)
    runners: dict[int, asyncio.Task[None]] = {}
    waits: ChunkTimeout[AttemptOutput] = ChunkTimeout(show)
    try:
        while show.running:
            for index, attempt in show.started():
                waits.over()  # the timer's lateness for one attempt must not count for the next
                runners[index] = asyncio.create_task(_arun(show, index, attempt, box))
            if not any(show.in_flight(index) for index in runners):
                await show.await_turn()
                continue
            given = await _ataken(box, waits)
            chunks = heard(show, given)
            late = waits.late and _too_late(show, given, [i for i, task in runners.items() if task.done()])
            for chunk in chunks:
                yield chunk
            _end(show, late)
            for index, task in runners.items():
                if not show.in_flight(index):
                    _cancel(task)
    finally:
        waits.over()
        for task in runners.values():
            _cancel(task)
        await asyncio.gather(*runners.values(), return_exceptions=True)


def _cancel(task: asyncio.Task[None]) -> None:
    """Once: a second time would interrupt the closing of its call."""
    if not task.cancelling():
        task.cancel()


async def _ataken(box: asyncio.Queue[AttemptOutput], waits: ChunkTimeout[AttemptOutput]) -> AttemptOutput | None:
    with suppress(AlarmExpired):
        return await waits.within(box.get())
    return None


async def _arun(show: EffectRunner[C], index: int, attempt: Attempt[C], box: asyncio.Queue[AttemptOutput]) -> None:
    show.sends(index)
    try:
        async with aclosing(aclosable(attempt.achunks())) as chunks:
            async for chunk in chunks:
                await box.put(AttemptOutput(index, chunk))
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - sorted by the driver, which raises what is no provider's fault
        await box.put(AttemptOutput(index, error=error))
    else:
        await box.put(AttemptOutput(index))
