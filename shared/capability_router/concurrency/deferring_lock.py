"""A lock to which work can be handed without waiting for it.

The garbage collector closes an abandoned stream in the middle of any call, in the same thread. If that call held the
lock that closing needs, the thread would wait for itself for ever. So such work is queued, and done by the lock's
holder, or by the next thread that takes the lock.

A thread that is suspended while it holds the lock runs again only after all others have had their turn. If many threads
compute, they queue more work meanwhile than it does in a turn, so the queue would grow as long as they run. So a thread
that finds the queue long pauses for a moment, and the holder gets its turn. It pauses only once, because the holder may
be an outer frame of its own thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from capability_router.concurrency.latch import Latch

LONG = 256
"""Items in a long queue; a thread works off about this many in its turn of 5 ms."""
_PAUSE_S = 0.000_1
_NEVER_FREE = Lock()
_NEVER_FREE.acquire()
T = TypeVar("T")


def _pause() -> None:
    """Let other threads have the interpreter."""
    _NEVER_FREE.acquire(timeout=_PAUSE_S)


class DeferringLock(Latch, Generic[T]):
    """`with lock:` takes it and first does the work queued so far. `lock.post(item)` queues work, waits for no lock."""

    __slots__ = ("_line", "_work")

    def __init__(self, work: Callable[[T], object]) -> None:
        super().__init__()
        self._work = work
        self._line: deque[T] = deque()

    def post(self, item: T) -> None:
        """Call `work(item)` under the lock: now if the lock is free, else by its holder before it lets go."""
        line = self._line
        if line or not self.take():  # in the order in which it was queued
            line.append(item)
            self._collect()
            if len(line) > LONG:
                _pause()
            return
        try:
            self._work(item)
        finally:  # `release` written out for speed: each request does this six times
            self._lock.release()
            if self._waiting:
                self._tell()
        if line:
            self._collect()

    @property
    def busy(self) -> bool:
        """Whether the lock is held, possibly by this thread."""
        return self.locked()

    def __enter__(self) -> None:
        if not self.take():
            self._wait()
        if not self._line:
            return
        try:
            self._work_off()
        except BaseException:  # `__exit__` is not reached: release the lock and raise
            self.release()
            raise

    def __exit__(self, *_: object) -> None:
        self.release()
        if self._line:
            self._collect()

    def forked(self) -> None:
        """In the child of a fork: a thread of the parent may have held the lock; the queued work is the parent's."""
        super().forked()
        self._line.clear()

    def _collect(self) -> None:
        while self._line and self.take():
            try:
                self._work_off()
            finally:
                self.release()

    def _work_off(self) -> None:
        while self._line:
            self._work(self._line.popleft())
