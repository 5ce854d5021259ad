"""What both drivers share: everything but how they wait.

It turns the machine's effects into attempts to start and to stop, holds the chunks of attempts that have not committed
yet, and turns what the attempts give or raise into the machine's events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from capability_router.clock import Clock
from capability_router.concurrency.loop_timer import Lateness
from capability_router.concurrency.process_hooks import forks
from capability_router.execution.driving.borrowing import run_beside_loop, within
from capability_router.execution.effects import Abort, Conclude, Deliver, Effect, Fund, Launch, SetAlarm
from capability_router.execution.endpoint import Attempt, Endpoint
from capability_router.execution.events import (
    NEVER_ASKED,
    NONE,
    AlarmRang,
    Began,
    Cancelled,
    ChunkArrived,
    Completed,
    Faulted,
    Funded,
    Replies,
    SentLate,
)
from capability_router.execution.machine import Execution
from capability_router.faults.kinds import Fault
from capability_router.frozen_value import altered
from capability_router.request import Reply

C = TypeVar("C")


_IN_TIME = Lateness()
"""Before the first launch. It is never used to prolong a wait."""
_BUSY_S = 0.01  # a shorter time between a launch and its sending is normal
_UNASKED = Lateness()
"""Stands for the Lateness of the current attempt, which is made at its first use."""


class AlarmExpired(Exception):
    """The alarm's time came before the next chunk."""


class ReaderOverrun(AlarmExpired):
    """It came while the reader was at work: the answer goes on."""


class EffectRunner(Generic[C]):
    """One request being carried out: its state machine, its attempts in flight and their held chunks."""

    __slots__ = (
        "_attempts", "_between", "_clock", "_endpoint", "_forks", "_fund", "_hard", "_held", "_late", "_launched_at",
        "_machine", "_sent", "alarm", "delivering", "launches", "moves",
    )  # fmt: skip

    def __init__(self, machine: Execution, endpoint: Endpoint[C], clock: Clock) -> None:
        self._machine, self._endpoint, self._clock = machine, endpoint, clock
        self._attempts: dict[int, Attempt[C]] = {}
        self._held: dict[int, list[C]] = {}
        self._fund: Fund | None = None
        self.alarm: float | None = None
        self.launches: list[Launch] = []
        self.delivering = 0
        self.moves = True  # whether the newest attempt is on another server than the one before it
        self._between: float | None = None
        self._hard, self._late = False, _IN_TIME
        self._launched_at = 0.0
        self._sent = 0  # a bit for each attempt whose chunks were asked for
        self._forks = forks()

    @property
    def lateness(self) -> Lateness:
        """How late the event loop was for the attempt that was launched last."""
        if self._late is _UNASKED:
            self._late = Lateness(self._hard)
        return self._late

    def begin(self) -> None:
        """Feed the first event."""
        self._perform(self._machine.feed(Began(self._clock.now())))

    def start(self, launch: Launch) -> Attempt[C]:
        """Create the launch's attempt; nothing is sent yet."""
        self._held[launch.attempt] = []
        attempt = self._attempts[launch.attempt] = self._endpoint.start(launch)
        return attempt

    def started(self) -> Iterator[tuple[int, Attempt[C]]]:
        """Start the pending launches. If one can't be started, that is a fault like any other, or it raises."""
        while self.launches:
            launch = self.launches.pop(0)
            try:
                attempt = self.start(launch)
            except BaseException as error:  # noqa: BLE001 - sorted by `raised`, which raises all that is no provider's fault
                self.raised(launch.attempt, error)
            else:
                self.moves = launch.moves
                yield launch.attempt, attempt

    def sends(self, index: int) -> None:
        """The attempt's first chunk is asked for: from now on its model may be at work.

        If this process was busy since the launch, the attempt gets its whole time nevertheless. A deadline is kept: if
        it has passed, that is this process's delay.
        """
        self._sent |= 1 << index
        now = self._clock.now()
        if now - self._launched_at > _BUSY_S:
            self._perform(self._machine.feed(SentLate(now, index)))
            if self.alarm is not None and now > self.alarm:
                self.lateness.excuses(now - self.alarm, 0.0, now)

    def took(self, index: int, chunk: C) -> bool:
        """Hold a chunk of an attempt that has not committed yet; True if this chunk made it the answer."""
        attempt = self._attempts.get(index)
        if attempt is None:
            return False
        self._held[index].append(chunk)
        if attempt.commits(chunk):
            others = self._others(index) if len(self._attempts) > 1 else NONE
            self._perform(self._machine.feed(ChunkArrived(self._clock.now(), index, others)))
        return self.delivering == index

    def goes_on(self, index: int, chunk: C) -> None:
        """Read usage and terminal reason from a further chunk of the answer, which is yielded at once."""
        self._attempts[index].commits(chunk)

    def ended(self, index: int) -> None:
        """The attempt's chunks have ended without an exception."""
        attempt = self._attempts.pop(index, None)
        if attempt is not None:
            others = self._others(index) if self._attempts else NONE
            event = Completed(self._clock.now(), index, attempt.reply(), others)
            self._perform(self._machine.feed(event))

    def raised(self, index: int, error: BaseException) -> None:
        """The attempt raised: a provider's fault goes to the machine, any other error is raised."""
        fault = self._endpoint.fault(error) if isinstance(error, Exception) else None
        if fault is None or (self.delivering == index and _mistaken(fault)):
            self.cancel()
            raise error
        attempt = self._attempts.pop(index, None)
        reply = attempt.reply() if attempt is not None else Reply()
        error.__traceback__ = without_router_frames(error.__traceback__)
        if fault.usage is not None:
            reply = altered(reply, usage=fault.usage)
        if fault.error is None or fault.kind == "timeout":
            late_s = self._late_s() if fault.kind == "timeout" else 0.0
            fault = altered(fault, error=fault.error or error, late_s=late_s)
        others = self._others(index) if self._attempts else NONE
        self._perform(self._machine.feed(Faulted(self._clock.now(), index, fault, reply, others)))

    def rang(self, *, by_reader: bool = False) -> None:
        """The alarm's time has come. `by_reader`: while the answer's reader was at work."""
        self._ring(self._replies(), by_reader=by_reader)

    def overran(self) -> None:
        """It has come for the answer while that was read ahead. An end that has been read since was not shown."""
        replies = {**self._replies()}
        replies[self.delivering] = altered(replies[self.delivering], finish=None)
        self._ring(replies, by_reader=True)

    def _ring(self, replies: Replies, *, by_reader: bool) -> None:
        self._perform(self._machine.feed(AlarmRang(self._clock.now(), replies, self.lateness.by_s, by_reader)))

    def _late_s(self) -> float:
        """Seconds by which this process was late when the attempt's own client timed out."""
        if self.alarm is not None:
            now = self._clock.now()
            self.lateness.excuses(now - self.alarm, 0.0, now)
        return self.lateness.by_s

    def cancel(self) -> None:
        """The caller cancelled or closed the request; does nothing if it is over, or in a child forked since.

        The child's garbage collector closes the streams that it has inherited; the parent ends them itself.
        """
        if self._machine.over is None and self._forks == forks():
            self._perform(self._machine.feed(Cancelled(self._clock.now(), {**self._replies(), **self._unsent()})))

    def held(self) -> Sequence[C]:
        """The chunks that were held until their attempt became the answer; empty when called again."""
        return self._held.pop(self.delivering, ())

    def in_time(self) -> None:
        """Raise AlarmExpired if a stream has passed its alarm. A unary reply that is late is still an answer."""
        if self.late:
            raise AlarmExpired

    @property
    def late(self) -> bool:
        """Whether a stream has gone on beyond its alarm. What has come of it by then is still to be shown."""
        return self.alarm is not None and self._machine.streaming and self._clock.now() >= self.alarm

    def may_continue_late(self, index: int, *, ahead: bool = False) -> bool:
        """Whether the answer goes on beyond its alarm. A program that was busy then first reads what has come.

        `ahead`: the attempt is read ahead of its reader. One that has its end is whole then, and one that keeps its
        time ends by itself: its reply has text that was not shown yet.
        """
        if self.delivering != index or not self.late or self.alarm is None:
            return False
        attempt = self._attempts[index]
        if ahead and (attempt.keeps_time or attempt.reply().finish is not None):
            return False
        now = self._clock.now()
        return not self.lateness.excuses(now - self.alarm, 0.0, now)

    def patience_s(self) -> float | None:
        """Seconds to wait for the next chunk: until the alarm or `timeouts.between_tokens`; None = no limit."""
        between = self._between if self.delivering else None
        if self.alarm is None:
            return between
        left = self.alarm - self._clock.now()
        if between is not None and between <= left:
            return between
        return left if left > 0.0 else 0.0

    def wait_turn(self) -> None:
        """Wait until a target may be free, or borrow the money for the next launch."""
        if self._fund is not None:
            return self._funded(within(self._fund.borrow, self._left_s(self._fund.until)), self._fund.until)
        wakeup, seconds = self._machine.wakeup, self.patience_s() or 0.0
        if wakeup is None:
            self._clock.sleep(seconds)
        else:
            self._clock.stand(wakeup, seconds)
        return self.rang()

    async def await_turn(self) -> None:
        """The same, asynchronously."""
        if self._fund is not None:
            in_time = await run_beside_loop(self._fund.borrow, self._left_s(self._fund.until))
            return self._funded(in_time, self._fund.until)
        wakeup, seconds = self._machine.wakeup, self.patience_s() or 0.0
        if wakeup is None:
            await self._clock.asleep(seconds)
        else:
            await self._clock.astand(wakeup, seconds)
        return self.rang()

    def _left_s(self, until: float) -> float:
        return max(until - self._clock.now(), 0.0)

    def _funded(self, in_time: bool, until: float) -> None:
        """A wait may end a little too early: who is late is late, for the loan is not there yet."""
        self._fund = None
        now = self._clock.now()
        self._perform(self._machine.feed(Funded(now if in_time else max(now, until))))

    def in_flight(self, index: int) -> bool:
        """Whether the attempt was started and has not ended."""
        return index in self._attempts

    @property
    def timed(self) -> bool:
        """Whether any timeout applies to the next chunk."""
        return self.alarm is not None or (self._between is not None and self._machine.streaming)

    @property
    def running(self) -> bool:
        """Whether the request is not over yet."""
        return self._machine.over is None

    def check(self) -> None:
        """Raise the machine's error, if it ended with one, and keep no reference to it.

        The raised error refers to this frame and the machine. A reference back would be a cycle, which stays in memory
        until the garbage collector runs.
        """
        over = self._machine.over
        if over is None or over.error is None:
            return
        error, self._machine.over = over.error, Conclude(over.outcome)
        del over
        try:
            raise error
        finally:
            del error

    def _replies(self) -> Replies:
        return self._others(0) if self._attempts else NONE

    def _unsent(self) -> Replies:
        """Launches that were still waiting for their turn."""
        return {i: NEVER_ASKED for i in range(1, self._machine.launched + 1) if not self._sent >> i & 1}

    def _others(self, index: int) -> Replies:
        return {
            other: attempt.reply() if self._sent >> other & 1 else NEVER_ASKED
            for other, attempt in self._attempts.items()
            if other != index
        }

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        if not effects:
            return
        self.alarm = None
        for effect in effects:  # `type() is` is faster than isinstance, and the effects have no subclasses
            if type(effect) is SetAlarm:
                self.alarm = effect.at
            elif type(effect) is Launch:
                self.launches.append(effect)
                self._launched_at = self._clock.now()
                self.delivering = 0  # also of one that goes on with an answer: its first token is yet to come
                self._between = effect.timeouts.between_tokens
                self._hard, self._late = effect.timeouts.total_by == "deadline_s", _UNASKED
            elif type(effect) is Deliver:
                self.delivering = effect.attempt
            elif type(effect) is Abort:
                self._abort(effect.attempt)
            elif type(effect) is Fund:
                self._fund = effect
            else:
                self.launches.clear()

    def _abort(self, index: int) -> None:
        attempt = self._attempts.pop(index, None)
        if attempt is not None:
            attempt.abort()


_OURS = ("capability_router.", "langchain_router.", "llamaindex_router.")


def without_router_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the router's own frames around the call, which refer to the whole request.

    Other libraries' frames may refer to the exception, as langchain-core's do when an awaited call fails. That is a
    reference cycle until the garbage collector runs, but the request is no part of it.
    """
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(_OURS):
        trace = trace.tb_next
    return trace


def _mistaken(fault: Fault) -> bool:
    """Whether an "unsupported" fault is a bug in a library: a model that began to answer supports the request."""
    return fault.kind == "unsupported" and fault.status is None and not fault.code
