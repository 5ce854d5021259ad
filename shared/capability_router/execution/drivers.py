"""The two drivers: they perform the machine's effects, one in the caller's thread, one in its task.

Both yield the chunks of the committed attempt only. What they share is `Performance`; what differs
is how a chunk is awaited and how an alarm can interrupt that wait: in async any wait is bounded; in
sync a blocking read can't be interrupted, so the endpoint gets the clocks and keeps them itself, and
the alarm is looked at between chunks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from capability_router.clock import Clock
from capability_router.execution.effects import Deliver, Effect, Finish, Launch, SetAlarm
from capability_router.execution.endpoint import Attempt, Endpoint
from capability_router.execution.events import AlarmRang, Began, Cancelled, ChunkArrived, Completed, Faulted
from capability_router.execution.machine import Execution
from capability_router.request import Reply

C = TypeVar("C")


class Performance(Generic[C]):
    """One execution being performed: the machine, the attempt in flight, the held chunks."""

    __slots__ = ("_attempt", "_clock", "_endpoint", "_held", "_index", "_machine", "alarm", "delivering", "launch")

    def __init__(self, machine: Execution, endpoint: Endpoint[C], clock: Clock) -> None:
        self._machine, self._endpoint, self._clock = machine, endpoint, clock
        self._held: dict[int, list[C]] = {}
        self._attempt: Attempt[C] | None = None
        self._index = 0
        self.alarm: float | None = None
        self.launch: Launch | None = None
        self.delivering = 0

    def begin(self) -> None:
        """Feed the first event."""
        self._perform(self._machine.feed(Began(self._clock.now())))

    def start(self, launch: Launch) -> Attempt[C]:
        """The launch's attempt; nothing is sent yet."""
        self.launch = None
        self._index = launch.attempt
        self._held[launch.attempt] = []
        self._attempt = None  # should starting it raise, the last one's reply is not this one's
        self._attempt = self._endpoint.start(launch)
        return self._attempt

    def took(self, attempt: Attempt[C], chunk: C) -> bool:
        """Hold a chunk of an attempt that is not yet the answer; True if it has just become so."""
        self._held[self._index].append(chunk)
        if attempt.commits(chunk):
            self._perform(self._machine.feed(ChunkArrived(self._clock.now(), self._index)))
        return self.delivering == self._index

    def ended(self, attempt: Attempt[C]) -> None:
        """The attempt's chunks have ended without an exception."""
        self._perform(self._machine.feed(Completed(self._clock.now(), self._index, attempt.reply())))

    def raised(self, error: BaseException) -> None:
        """The attempt raised: a provider's fault goes to the machine, anything else passes through."""
        reply = self._attempt.reply() if self._attempt is not None else Reply()
        fault = self._endpoint.fault(error) if isinstance(error, Exception) else None
        if fault is None:
            self._perform(self._machine.feed(Cancelled(self._clock.now(), reply)))
            raise error
        fault = fault if fault.error is not None else replace(fault, error=error)
        self._perform(self._machine.feed(Faulted(self._clock.now(), self._index, fault, reply)))

    def rang(self) -> None:
        """The alarm's time has come."""
        reply = self._attempt.reply() if self._attempt is not None else Reply()
        self._perform(self._machine.feed(AlarmRang(self._clock.now(), reply)))

    def cancel(self) -> None:
        """The caller went away; nothing happens if the machine is over."""
        if self._machine.over is None:
            reply = self._attempt.reply() if self._attempt is not None else Reply()
            self._machine.feed(Cancelled(self._clock.now(), reply))

    def held(self) -> list[C]:
        """The chunks of the answer that were held until it became the answer; each is given once."""
        return self._held.pop(self.delivering, [])

    def in_time(self) -> None:
        """Raise _Rang when a stream has gone on beyond its alarm. A whole reply that is late is still an answer."""
        if self.alarm is not None and self._machine.streaming and self._clock.now() >= self.alarm:
            raise _Rang

    def wait_s(self) -> float:
        """Seconds until the alarm."""
        return max((self.alarm or 0.0) - self._clock.now(), 0.0)

    @property
    def running(self) -> bool:
        """Whether there is more to do."""
        return self._machine.over is None

    def check(self) -> None:
        """Raise the machine's error, if it ended with one."""
        over = self._machine.over
        if over is not None and over.error is not None:
            raise over.error

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        if not effects:
            return
        self.alarm = None
        for effect in effects:
            kind = type(effect)
            if kind is Launch:
                self.launch = cast(Launch, effect)
            elif kind is SetAlarm:
                self.alarm = cast(SetAlarm, effect).at
            elif kind is Deliver:
                self.delivering = cast(Deliver, effect).attempt
            elif kind is Finish:
                self.launch = None


def drive(machine: Execution, endpoint: Endpoint[C], clock: Clock) -> Generator[C, None, None]:
    """Perform an execution in the caller's thread."""
    show: Performance[C] = Performance(machine, endpoint, clock)
    try:
        show.begin()
        while show.running:
            if show.launch is None:
                clock.sleep(show.wait_s())
                show.rang()
                continue
            yield from _attempt(show, show.start(show.launch))
        yield from show.held()
        show.check()
    finally:
        show.cancel()


def _attempt(show: Performance[C], attempt: Attempt[C]) -> Generator[C, None, None]:
    try:
        with closing(_closable(attempt.chunks())) as chunks:
            for chunk in chunks:
                if show.took(attempt, chunk):
                    yield from show.held()
                    break
                show.in_time()
            for chunk in chunks:
                attempt.commits(chunk)
                show.in_time()
                yield chunk
    except _Rang:
        show.rang()
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(error)
    else:
        show.ended(attempt)


async def adrive(machine: Execution, endpoint: Endpoint[C], clock: Clock) -> AsyncGenerator[C, None]:
    """Perform an execution in the caller's task; every wait is bounded by the machine's alarm."""
    show: Performance[C] = Performance(machine, endpoint, clock)
    try:
        show.begin()
        while show.running:
            if show.launch is None:
                await clock.asleep(show.wait_s())
                show.rang()
                continue
            launch = show.launch
            async with aclosing(_aattempt(show, show.start(launch), launch.timeouts.between_tokens)) as answer:
                async for chunk in answer:
                    yield chunk
        for chunk in show.held():
            yield chunk
        show.check()
    finally:
        show.cancel()


async def _aattempt(show: Performance[C], attempt: Attempt[C], between: float | None) -> AsyncGenerator[C, None]:
    delivering = False
    try:
        async with aclosing(_aclosable(attempt.achunks())) as chunks:
            while (chunk := await _within(show, chunks, between if delivering else None)) is not _END:
                if delivering:
                    attempt.commits(chunk)
                    yield chunk
                elif show.took(attempt, chunk):
                    delivering = True
                    for held in show.held():
                        yield held
    except _Rang:
        show.rang()
    except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
        show.raised(error)
    else:
        show.ended(attempt)


_END: Any = object()


class _Rang(Exception):
    """The alarm rang while a chunk was awaited, or before it came."""


async def _within(show: Performance[C], chunks: AsyncGenerator[C, None], between: float | None) -> C:
    limit = None if show.alarm is None else show.wait_s()
    if between is not None and (limit is None or between < limit):
        limit = between
    if limit is None:
        return await anext(chunks, _END)
    try:
        async with asyncio.timeout(limit) as scope:
            return await anext(chunks, _END)
    except TimeoutError:
        if scope.expired():
            raise _Rang from None
        raise


def _closable(chunks: Iterator[C]) -> Generator[C, None, None]:
    return chunks if isinstance(chunks, Generator) else (chunk for chunk in chunks)


def _aclosable(chunks: AsyncIterator[C]) -> AsyncGenerator[C, None]:
    return chunks if isinstance(chunks, AsyncGenerator) else (chunk async for chunk in chunks)
