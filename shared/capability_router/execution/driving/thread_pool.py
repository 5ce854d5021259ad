"""Threads that wait for the next attempt: to start one costs a call milliseconds where the machine is busy."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

Work = Callable[[], bool]
"""What a thread does; whether the thread may be kept then."""
_IDLE_S = 5.0
_IDLE = "router thread, idle"


class ThreadPool:
    """Daemon threads. One that has had nothing to do for `idle_s` seconds ends. Thread-safe.

    There are as many as there is work: work that hangs keeps its thread, and nobody waits for it.
    """

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._idle: list[_Worker] = []  # each use of it is one step of the interpreter: no lock

    def __repr__(self) -> str:
        return f"<ThreadPool, {len(self._idle)} idle>"

    def begin(self, name: str, work: Work) -> threading.Thread:
        """Begin some work in a thread of this name, the one that has been idle for the shortest time, or a new one."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self._idle, self._idle_s)
        worker.thread.name = name
        worker.inbox.put(work)
        return worker.thread

    def forget(self) -> None:
        """After a fork: the threads are the other process's."""
        self._idle.clear()


class _Worker:
    """One thread, and where it is given its work."""

    def __init__(self, idle: list[_Worker], idle_s: float) -> None:
        self._idle, self._idle_s = idle, idle_s
        self.inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=_IDLE, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        kept = self.inbox.get()()  # nothing of it is held by this frame while the thread is idle
        while kept:
            self.thread.name = _IDLE
            self._idle.append(self)
            work = self._next()
            if work is None:
                return
            kept, work = work(), None

    def _next(self) -> Work | None:
        try:
            return self.inbox.get(timeout=self._idle_s)
        except queue.Empty:
            pass
        try:
            self._idle.remove(self)
        except ValueError:  # it has been chosen just now
            return self.inbox.get()
        return None


THREADS = ThreadPool()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=THREADS.forget)
