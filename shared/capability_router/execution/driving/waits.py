"""The waits for the chunks of awaited attempts, each with its time limit.

A stream waits for most of its chunks. A timer for each would be made, sorted into the loop's and cancelled again: that
took as long as all else that is done for a chunk. So the waits share one timer, and a task is cancelled by hand where
`asyncio.timeout` would do it, by the same rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from types import coroutine
from typing import Any, Generic, TypeVar

from capability_router.concurrency.loop_timer import LoopTimer
from capability_router.execution.driving.performance import Performance, Rang, below_us

C = TypeVar("C")


class Waits(Generic[C]):
    """One at a time: for one attempt's chunks, or for what two that race give.

    Who iterates may do so in another task, or another loop, than before.
    """

    __slots__ = ("_cancels", "_rang", "_show", "_task", "_timer", "late")

    def __init__(self, show: Performance[Any]) -> None:
        self._show = show
        self._timer: LoopTimer | None = None
        self._task: Any = None  # which waits
        self._cancels: asyncio.Handle | None = None
        self._rang = False
        self.late = False  # whether its time was over when the last step was asked for

    def within(self, step: Any) -> Awaitable[C]:
        """What the step gives; Rang when it does not come in time."""
        limit = self._show.patience_s()
        return step if limit is None else self._limited(step, limit)

    def over(self) -> None:
        """Nothing more is waited for. It lets go of the timer: they hold each other, a ring for the collector."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _limited(self, step: Any, limit: float) -> C:
        self.late = limit <= 0.0
        try:
            awaited = step.send(None)
        except StopIteration as there:  # nothing to wait for, as within a burst: no timer
            return there.value  # type: ignore[no-any-return]  # a chunk, or the end
        timer, before, rang = self._set(limit), self._task.cancelling(), False
        try:
            try:
                return await _resumed(step, awaited)  # type: ignore[no-any-return]  # likewise
            finally:
                timer.rest()
                rang = self._ended(before)
        except (asyncio.CancelledError, TimeoutError):
            if rang:
                raise Rang from None
            raise

    def _set(self, limit: float) -> LoopTimer:
        self._task, timer = asyncio.current_task(), self._timer
        if timer is not None and timer.loop is self._task.get_loop():
            timer.set(limit)
        else:
            timer = self._timer = LoopTimer(limit, self._ring, self._show.lateness)
        return timer

    def _ended(self, before: int) -> bool:
        """Whether the wait was ended by the timer alone. `before`: cancellations of the task that it began with."""
        task, self._task = self._task, None
        if self._cancels is not None:
            self._cancels.cancel()
            self._cancels = None
        rang, self._rang = self._rang, False
        return rang and task.uncancel() <= before

    def _ring(self) -> None:
        """In a turn of its own: what arrives in the turn in which the timer rings is an answer."""
        self._cancels = self._task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        self._rang, self._cancels = True, None
        self._task.cancel()


@coroutine
def _resumed(step: Any, awaited: Any) -> Generator[Any, Any, Any]:
    """Go on with an awaitable that was sent its first None, and waits for `awaited`."""
    value: Any = None
    while True:
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - thrown into the step, which raises it again or not
            error.__traceback__ = below_us(error.__traceback__)
            resume, value = step.throw, error
        else:
            resume, value = step.send, sent
        try:
            awaited = resume(value)
        except StopIteration as end:
            return end.value
        finally:  # an exception that is kept here closes a ring, by this frame in its traceback
            value = None
