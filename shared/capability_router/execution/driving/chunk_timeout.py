"""Waits for the next chunk with a time limit, in async.

`asyncio.timeout` makes, schedules and cancels a timer for every wait, which took as long as everything else that is
done for a chunk. So all waits of a request share one timer, and cancel the task by the rules of `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from types import coroutine
from typing import Any, Generic, TypeVar

from capability_router.concurrency.loop_timer import LoopTimer
from capability_router.execution.driving.effect_runner import AlarmExpired, EffectRunner, without_router_frames

C = TypeVar("C")


class ChunkTimeout(Generic[C]):
    """The waits of one request, one at a time. Each may be in another task or event loop than the one before."""

    __slots__ = ("_cancels", "_rang", "_show", "_task", "_timer", "late")

    def __init__(self, show: EffectRunner[Any]) -> None:
        self._show = show
        self._timer: LoopTimer | None = None
        self._task: Any = None  # the task that waits
        self._cancels: asyncio.Handle | None = None
        self._rang = False
        self.late = False  # whether its time was over when the last step was asked for

    def within(self, step: Any) -> Awaitable[C]:
        """The result of `step`; raises AlarmExpired if it does not come in time."""
        limit = self._show.patience_s()
        return step if limit is None else self._limited(step, limit)

    def over(self) -> None:
        """End the waits and drop the timer, which refers to this object: a reference cycle otherwise."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _limited(self, step: Any, limit: float) -> C:
        self.late = limit <= 0.0
        since = asyncio.get_running_loop().time()  # the step may work for long before it first waits
        try:
            awaited = step.send(None)
        except StopIteration as there:  # the chunk is already there, so no timer is needed
            return there.value  # type: ignore[no-any-return]  # a chunk, or the end
        timer, before, rang = self._set(limit, since), self._task.cancelling(), False
        try:
            try:
                return await _resumed(step, awaited)  # type: ignore[no-any-return]  # likewise
            finally:
                timer.rest()
                rang = self._ended(before)
        except (asyncio.CancelledError, TimeoutError):
            if rang:
                raise AlarmExpired from None
            raise

    def _set(self, limit: float, since: float) -> LoopTimer:
        self._task, timer = asyncio.current_task(), self._timer
        if timer is not None and timer.loop is self._task.get_loop():
            timer.set(limit, since)
        else:
            timer = self._timer = LoopTimer(limit, self._ring, self._show.lateness, since)
        return timer

    def _ended(self, before: int) -> bool:
        """Whether the timer alone ended the wait. `before`: the task's cancellation requests at its beginning."""
        task, self._task = self._task, None
        if self._cancels is not None:
            self._cancels.cancel()
            self._cancels = None
        rang, self._rang = self._rang, False
        return rang and task.uncancel() <= before

    def _ring(self) -> None:
        """Cancel in the next turn of the loop, so that a chunk that arrives in this turn still counts."""
        self._cancels = self._task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        self._rang, self._cancels = True, None
        self._task.cancel()


@coroutine
def _resumed(step: Any, awaited: Any) -> Generator[Any, Any, Any]:
    """Continue an awaitable whose first `send(None)` returned `awaited`."""
    value: Any = None
    while True:
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - thrown into the step, which may raise it again
            error.__traceback__ = without_router_frames(error.__traceback__)
            resume, value = step.throw, error
        else:
            resume, value = step.send, sent
        try:
            awaited = resume(value)
        except StopIteration as end:
            return end.value
        finally:  # a kept exception would be a reference cycle, through this frame in its traceback
            value = None
