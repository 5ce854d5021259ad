"""Stops all threads that read from providers when the process ends, so that none is left in the middle of something.

Until Python 3.13 a daemon thread that wakes while the interpreter shuts down is ended on the spot. If that happens
inside a compiled function that catches all exceptions, as Rust's and C++'s do, the whole process ends by SIGABRT
("exception not rethrown"). A thread that waits for a lock or for a server is never inside such a function.

Work without steps (a whole call, an evaluator, an embedder) is ended by an exception as soon as it returns to the
interpreter.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, current_thread
from typing import NoReturn

from capability_router.sdks.abandoned_responses import at_socket, shut
from capability_router.sdks.reader import Reader

_LOOKS, _PAUSE_S = 100, 0.01
_STILL = 5  # looks after which a reader that waits for a server is expected to go on waiting
_PATIENT = 10  # looks after which a step is ended instead of awaited


class Readers:
    """All running readers. Thread-safe: each use of the set is one step of the interpreter."""

    def __init__(self) -> None:
        self.over = False  # whether the running readers were halted
        self._under_way: set[Reader] = set()

    def __repr__(self) -> str:
        return f"<Readers, {len(self._under_way)} under way>"

    def add(self, reader: Reader) -> None:
        """The reader is about to begin."""
        self._under_way.add(reader)

    def discard(self, reader: Reader) -> None:
        """The reader has nothing left to do in its thread. Only that thread may call it."""
        reader.over = True
        self._under_way.discard(reader)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Run other people's code inside, in a thread that is not joined."""
        worker = Reader()
        worker.thread = current_thread()
        self.add(worker)
        try:
            yield
        finally:
            self.discard(worker)

    def park(self, reader: Reader) -> NoReturn:
        """Wait for the end of the process, in this thread."""
        self.discard(reader)
        while True:
            SimpleQueue[None]().get()

    def halt(self) -> None:
        """Halt all readers and wait, a second at most, until each has stopped; readers of silent servers are not
        awaited.
        """
        self.over = True
        pause = Event()
        for look in range(_LOOKS):
            left = list(self._under_way)
            for reader in left:
                reader.halt()
            if all(_ended_by_itself(reader, look) for reader in left):
                return
            if look >= _PATIENT:
                for reader in left:
                    _end(reader)
            pause.wait(_PAUSE_S)

    def forget(self) -> None:
        """After a fork: the readers are the other process's."""
        self._under_way.clear()


def _ended_by_itself(reader: Reader, look: int) -> bool:
    if reader.thread is None or shut(reader):  # it is about to begin, or its read ends now
        return False
    return look >= _STILL and at_socket(reader)


def _end(reader: Reader) -> None:
    """Raise SystemExit in its thread, once, when the thread next runs Python code; the code there can see it."""
    if reader.ended or at_socket(reader):
        return
    import ctypes  # needed only at the end of a process

    ident = reader.ident
    if ident is not None:
        reader.ended = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))


READERS = Readers()
atexit.register(READERS.halt)  # registered early, so called late: streams can be read until then
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=READERS.forget)
