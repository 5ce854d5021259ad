"""A thread with an event loop, for evaluations that need not run in their caller's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from threading import Lock, Thread, current_thread
from typing import Any
from weakref import finalize

from capability_router.sdks.reader import Reader
from capability_router.sdks.readers import READERS

log = logging.getLogger("capability_router")
STOPPING_S = 1.0  # for what runs in the loop to come to its next step
_left_behind: list[asyncio.AbstractEventLoop] = []
"""A forked child's copies of its parent's loops: closing one would remove the parent's sockets from its selector."""


class LoopThread:
    """Started when `loop` is first called, and again after `stop`. It never keeps a process alive.

    It keeps the same loop all its life, because evaluators' clients keep their connections in it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._rest: finalize[[_Run], LoopThread] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run: _Run | None = None

    @property
    def known(self) -> asyncio.AbstractEventLoop | None:
        """The loop, if it was started."""
        return self._loop

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running. Raises RuntimeError if no thread can be started now; a later call tries again."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            if self._run is None:
                run = _Run(self._loop)
                self._owned(run)
                run.start()
                self._run = run
            return self._loop

    def _owned(self, run: _Run) -> None:
        if self._rest is not None:
            self._rest.detach()
        self._rest = finalize(self, _Run.close, run)

    def stop(self) -> None:
        """Cancel everything in the loop and end the thread. A loop that an evaluator blocks is left to itself."""
        with self._lock:
            run, self._run = self._run, None
            if run is not None and not run.stopped(STOPPING_S):
                self._abandon(run)
                log.warning("an evaluator blocks its event loop: it is not waited for (use `await`, or `def`)")

    def _abandon(self, run: _Run) -> None:
        if self._rest is not None:
            self._rest.detach()
        run.close()
        self._loop = self._rest = None

    def forget(self) -> None:
        """In a forked child: the thread and the loop are the parent's."""
        if self._loop is not None and self._rest is not None:
            self._rest.detach()
            _left_behind.append(self._loop)
        self._lock, self._loop, self._run, self._rest = Lock(), None, None, None


class _Run(Reader):
    """One run of the loop, in a thread of its own. It may be told to stop at any time, by several, any number of times.

    When the process ends, it is stopped between two steps.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._stop, self._closes = loop, asyncio.Event(), False

    def start(self) -> None:
        """Begin. Raises RuntimeError if no thread can be started now."""
        thread = Thread(target=self._lived, daemon=True, name="router evaluation")
        try:
            thread.start()
        except RuntimeError:
            self.over = True
            raise
        self.thread = thread

    def halt(self) -> None:
        """Cancel everything in the loop and end."""
        self.halted = True
        with suppress(RuntimeError):  # the loop has just been closed, by its owner, which ends at the same time
            self._loop.call_soon_threadsafe(self._stop.set)

    def stopped(self, within_s: float) -> bool:
        """Halt; whether it has ended within this time."""
        self.halt()
        if self.thread is not None:
            self.thread.join(within_s)
        return self.over

    def close(self) -> None:
        """Halt, and close the loop at the end."""
        self._closes = True
        if self.over:
            self._loop.close()
        else:
            self.halt()

    def _lived(self) -> None:
        self.thread = current_thread()
        READERS.add(self)
        try:
            self._until_halted()
        finally:
            READERS.discard(self)
            if self._closes:
                self._loop.close()

    def _until_halted(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._stop.wait())
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            asyncio.set_event_loop(None)


def in_thread(context: Context, work: Callable[[], Any]) -> asyncio.Future[Any]:
    """The result of `work`, run in a separate thread; awaited in the running loop. RuntimeError: no thread can be
    started.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, failed: BaseException | None) -> None:
        if future.done():  # its caller has stopped waiting
            return
        if failed is None:
            future.set_result(result)
        else:
            future.set_exception(failed)

    def run() -> None:
        result, failed = None, None
        try:
            with READERS.at_work():
                result = context.run(work)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting task
            own = isinstance(error, Exception) and not isinstance(error, StopIteration)  # no future can hold it
            failed = error if own else RuntimeError(type(error).__name__)
        with suppress(RuntimeError):  # the loop has been closed: no task is waiting
            loop.call_soon_threadsafe(settle, result, failed)

    Thread(target=run, daemon=True, name="router evaluator").start()
    return future
