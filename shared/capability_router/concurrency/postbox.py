"""A lock that can be handed something without waiting for it.

An abandoned stream is closed by the garbage collector, which may run in the middle of any call, in the
same thread. Were that call to hold the lock that closing the stream needs, the thread would wait for
itself for ever. So what closing hands in is put in line, and whoever holds the lock, or gets it, works
it off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from capability_router.concurrency.latch import Latch

T = TypeVar("T")


class Postbox(Latch, Generic[T]):
    """`with box:` is the lock, with all that was handed in before worked off; `box.post(item)` never waits."""

    __slots__ = ("_line", "_work")

    def __init__(self, work: Callable[[T], object]) -> None:
        super().__init__()
        self._work = work
        self._line: deque[T] = deque()

    def post(self, item: T) -> None:
        """Have the item worked off under the lock: now if it is free, else by its holder, who looks again."""
        line, work = self._line, self._work
        line.append(item)
        while line and self.take():  # as `_collect`, written out: each request comes by here four times
            try:
                while line:
                    work(line.popleft())
            finally:
                self._lock.release()
                if self._waiting:
                    self._tell()

    @property
    def busy(self) -> bool:
        """Whether somebody holds the lock, maybe this very thread."""
        return self.locked()

    def __enter__(self) -> None:
        if not self.take():
            self._wait()
        if not self._line:
            return
        try:
            self._work_off()
        except BaseException:  # `__exit__` is not reached: give the lock back, whatever it was, and let it pass
            self.release()
            raise

    def __exit__(self, *_: object) -> None:
        self.release()
        if self._line:
            self._collect()

    def forked(self) -> None:
        """In the child of a fork: a thread of the parent's may have held the lock, and works off what it was handed."""
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
