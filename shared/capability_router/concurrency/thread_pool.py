"""A pool of threads for attempts and the like: on a busy machine, starting one costs a call milliseconds."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

Work = Callable[[], bool]
"""What a thread does. It returns whether the thread may be reused."""
_IDLE_S = 5.0
_IDLE = "router thread, idle"


class ThreadPool:
    """Daemon threads; a thread that was idle for `idle_s` seconds ends. Thread-safe.

    The pool has no upper limit: work that hangs keeps its thread, and other work gets another one.
    """

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._idle: list[_Worker] = []  # each use of it is atomic, so it needs no lock

    def __repr__(self) -> str:
        return f"<ThreadPool, {len(self._idle)} idle>"

    def begin(self, name: str, work: Work) -> threading.Thread:
        """Run `work` in a thread that gets this name: the one most recently idle, else a new one."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self._idle, self._idle_s)
        worker.thread.name = name
        worker.inbox.put(work)
        return worker.thread

    def forget(self) -> None:
        """After a fork: the threads exist only in the parent."""
        self._idle.clear()


class _Worker:
    """One thread and its inbox."""

    def __init__(self, idle: list[_Worker], idle_s: float) -> None:
        self._idle, self._idle_s = idle, idle_s
        self.inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=_IDLE, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        kept = self.inbox.get()()  # this frame keeps no reference to it while idle
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
        except ValueError:  # `begin` has just taken this worker
            return self.inbox.get()
        return None


THREADS = ThreadPool()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=THREADS.forget)
