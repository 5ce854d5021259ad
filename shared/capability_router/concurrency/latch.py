"""Locks that no thread owns while it waits for the interpreter (the GIL).

`threading.Lock` is handed to a waiting thread before that thread runs. Other threads that run meanwhile and want the
lock must then stop too. So once a thread loses its turn while it holds the lock, each further use costs switches of
threads, for as long as there is work. Here a waiting thread is only woken. It takes the lock when it runs, and may find
it taken by a thread that ran before it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock, RLock
from typing import Any
from weakref import WeakSet

_LOOK_S = 1.0
"""A waiting thread looks again after this time, even if no other thread has woken it."""
_all: WeakSet[_LatchBase] = WeakSet()


class _LatchBase:
    """The common part of both kinds: how to wait, and how to start anew in a forked child."""

    __slots__ = ("__weakref__", "_lock", "_waiting")
    _kind: Callable[[], Any]

    def __init__(self) -> None:
        self._free()
        _all.add(self)

    def _free(self) -> None:
        self._lock = self._kind()
        self._waiting: deque[Any] = deque()

    def forked(self) -> None:
        """In a forked child: a thread of the parent may have held it, and can't release it here."""
        self._free()

    def __enter__(self) -> None:
        if not self._lock.acquire(False):
            self._wait()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self._waiting:
            self._tell()

    def _wait(self) -> None:
        while True:
            told = Lock()
            told.acquire()
            self._waiting.append(told)
            try:
                if self._look(told):
                    return
            except BaseException:  # an interrupt: pass a wakeup on to the next waiter
                self._tell()
                raise
            finally:
                self._leave(told)

    def _look(self, told: Any) -> bool:
        """Take it if it is free now; it may have been released before this waiter was registered."""
        if self._lock.acquire(False):
            return True
        told.acquire(timeout=_LOOK_S)
        return bool(self._lock.acquire(False))

    def _leave(self, told: Any) -> None:
        if told in self._waiting:
            try:
                self._waiting.remove(told)
            except ValueError:  # woken meanwhile
                return

    def _tell(self) -> None:
        try:
            self._waiting.popleft().release()
        except IndexError:  # another thread woke the last one
            return


class Latch(_LatchBase):
    """Held for a few instructions at a time; not re-entrant. `take()` takes it if it is free, and returns whether it
    did.
    """

    __slots__ = ("take",)
    _kind = staticmethod(Lock)

    def _free(self) -> None:
        super()._free()
        self.take: Callable[[], bool] = partial(self._lock.acquire, False)  # without a frame of its own

    def locked(self) -> bool:
        """Whether it is held, possibly by this thread."""
        return bool(self._lock.locked())

    def release(self) -> None:
        """Release it."""
        self._lock.release()
        if self._waiting:
            self._tell()


class ReentrantLatch(_LatchBase):
    """A latch that its own thread may take again: the garbage collector may end a request in the middle of
    another's.

    The lock itself stores its owner: if the owner were recorded after taking it, the collector might run in between.
    """

    __slots__ = ()
    _kind = staticmethod(RLock)


def _after_fork() -> None:
    for latch in list(_all):
        latch.forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
