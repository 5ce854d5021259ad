"""A thread that makes rounds, when it is rung for or after a while, and can be stopped and started at any moment.

Each thread has a bell of its own. So one that is stopped ends even if a request starts the next one in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread, current_thread
from typing import Generic, TypeVar

S = TypeVar("S")


class ThreadSignal(Generic[S]):
    """Wakes one thread. It refers to who rang until the thread has heard it: a sender that is dropped loses nothing."""

    def __init__(self) -> None:
        self._rings: SimpleQueue[S | None] = SimpleQueue()  # the garbage collector may ring in the middle of a ring
        self.ended = Event()

    def ring(self, sender: S) -> None:
        """Wake the thread."""
        self._rings.put(sender)

    def end(self) -> None:
        """Wake the thread to end it."""
        self.ended.set()
        self._rings.put(None)

    def heard(self, patience_s: float) -> S | None:
        """Wait for a ring, and take all that have come: who rang last, None = nobody did, or it is to end."""
        rang = None
        try:
            rang = self._rings.get(timeout=patience_s)
            while True:
                rang = self._rings.get_nowait() or rang
        except Empty:
            return rang


class PeriodicThread(Generic[S]):
    """A daemon thread called `name` that runs `work` with its bell; thread-safe.

    `work` returns when the bell's `ended` is set, and must not refer to what owns this object, which may be dropped.
    """

    def __init__(self, name: str, work: Callable[[ThreadSignal[S]], None]) -> None:
        self._name, self._work = name, work
        self._bell: ThreadSignal[S] = ThreadSignal()
        self._thread: Thread | None = None
        self._changing = Lock()

    def start(self) -> bool:
        """Start the thread if it does not run; whether it was started now. If none can be had, the next call tries."""
        if self._thread is not None or not self._changing.acquire(blocking=False):
            return False  # whoever holds it starts the thread, or has stopped one and is gone in a moment
        try:
            return self._thread is None and self._started()
        finally:
            self._changing.release()

    def _started(self) -> bool:
        thread = Thread(target=self._work, args=(self._bell,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending, or the limit of threads is reached
            return False
        self._thread = thread
        return True

    def ring(self, sender: S) -> None:
        """Have a round made soon; if no thread runs, once one is started. The garbage collector may call it."""
        self._bell.ring(sender)

    def stop(self) -> None:
        """End the thread and wait for it; called by the thread itself, it does not wait."""
        with self._changing:
            thread, bell = self._thread, self._bell
            self._thread, self._bell = None, ThreadSignal()
        bell.end()
        if thread is not None and thread is not current_thread():
            thread.join()
