"""Shuts the connection of an abandoned response from outside the thread that waits for the rest of it.

A thread that waits for a server can't be interrupted, and a server that sends a blank line now and then keeps it for
ever. Only the thread's stack shows which socket it reads. Nothing is shut before the response has begun, because a
client may repeat a request that breaks off so early; nor where one connection carries several calls (HTTP/2).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import RLock, Thread
from types import FrameType

_TOP = 4  # frames between a thread's read and the object that holds its socket
_BODIES = {  # "" = any function except `begin`
    "httpcore._sync.http11": "_receive_response_body", "httpcore2._sync.http11": "_receive_response_body",
    "http.client": "",
}  # fmt: skip
_HEAD = "begin"
_TRIES, _PAUSE_S = 3, 0.002


def shut(thread: Thread) -> bool:
    """Shut the connection whose body the thread waits for; False = it waits for no body at this moment."""
    frames = _stack(thread)
    found = _read(frames)
    if found is None or not _reads_body(frames):
        return False
    with suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(found, socket.SHUT_RDWR)  # SSLSocket's own drops the reader's TLS state
    return True


def at_socket(thread: Thread) -> bool:
    """Whether the thread is reading from a socket, even one that can't be shut."""
    return _read(_stack(thread)) is not None


def _stack(thread: Thread) -> list[FrameType]:
    return list(_frames(sys._current_frames().get(thread.ident or 0)))


def _read(frames: list[FrameType]) -> socket.socket | None:
    return next(filter(None, map(_socket, frames[:_TOP])), None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _socket(frame: FrameType) -> socket.socket | None:
    owner = frame.f_locals.get("self")
    held = owner if isinstance(owner, socket.socket) else getattr(owner, "_sock", None)
    return held if isinstance(held, socket.socket) else None


def _reads_body(frames: list[FrameType]) -> bool:
    seen = [(str(frame.f_globals.get("__name__")), frame.f_code.co_name) for frame in frames]
    if any(_BODIES.get(module) == "" and name == _HEAD for module, name in seen):
        return False
    return any(module in _BODIES and _BODIES[module] in ("", name) for module, name in seen)


class AbandonedThreads:
    """Threads whose attempts were given up. Each is looked at again until it has ended. Thread-safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """After a fork: the threads are the other process's, and one of them may have held the lock."""
        self._threads: list[Thread] = []
        self._lock = RLock()  # the garbage collector may end a request in the middle of another's

    def add(self, thread: Thread) -> None:
        """End what this thread waits for, and what earlier ones still wait for."""
        for _ in range(_TRIES):
            if not thread.is_alive() or shut(thread) or sys.is_finalizing():  # then no thread goes on
                break
            thread.join(_PAUSE_S)
        with self._lock:
            waiting, self._threads = self._threads, []
            self._threads += [one for one in (*waiting, thread) if one.is_alive()]
        for one in waiting:
            shut(one)

    def __repr__(self) -> str:
        return f"<AbandonedThreads {len(self._threads)} threads>"


ABANDONED = AbandonedThreads()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=ABANDONED.forget)
