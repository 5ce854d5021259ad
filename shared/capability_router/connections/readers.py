"""Readers under way when the process ends: none of them is left in the middle of something.

Until Python 3.13 a daemon thread that wakes while the interpreter is put away is ended on the spot. Within a compiled
function that catches all it is called by, as Rust's and C++'s do, that ends the whole process by SIGABRT ("exception
not rethrown"). A thread that waits, for a lock or for a server, is never in such a function.

Work that has no steps (a whole call, an evaluator, an embedder) is ended by an exception, as soon as it comes back to
the interpreter.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import NoReturn

from capability_router.connections.unread import at_socket, shut

_LOOKS, _PAUSE_S = 100, 0.01
_STILL = 5  # looks after which one that waits for a server is taken for one that goes on waiting
_PATIENT = 10  # looks after which a step is not waited for any more, but ended


class Reader:
    """Something that reads in a thread. Between two steps it checks `halted`, and then waits for the process's end."""

    halted = ended = False
    thread: Thread | None = None

    def halt(self) -> None:
        """Go on to the end of the step, no further."""
        self.halted = True


class Readers:
    """All readers under way. Thread-safe: each use of the set is one step of the interpreter."""

    def __init__(self) -> None:
        self.over = False  # whether those were halted who were under way
        self._under_way: set[Reader] = set()

    def __repr__(self) -> str:
        return f"<Readers, {len(self._under_way)} under way>"

    def add(self, reader: Reader) -> None:
        """It is about to begin."""
        self._under_way.add(reader)

    def discard(self, reader: Reader) -> None:
        """It does nothing any more but end its thread."""
        self._under_way.discard(reader)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Run foreign code inside, in a thread that is not joined."""
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
        """Halt all, and wait until each is: a second at most, and not for those whose servers are silent."""
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
        """After a fork: they are the other process's."""
        self._under_way.clear()


def _ended_by_itself(reader: Reader, look: int) -> bool:
    thread = reader.thread
    if thread is None or shut(thread):  # it is about to begin, or wakes now
        return False
    return look >= _STILL and at_socket(thread)


def _end(reader: Reader) -> None:
    """Raise SystemExit in its thread, once, when that next runs a step of the interpreter's: what is above sees it."""
    thread = reader.thread
    if not reader.ended and thread is not None and not at_socket(thread):
        import ctypes  # at the end of a process alone

        reader.ended = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


READERS = Readers()
atexit.register(READERS.halt)  # as early as can be, to be called late: until then a stream can still be read
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=READERS.forget)
