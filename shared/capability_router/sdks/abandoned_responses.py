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
from inspect import getattr_static
from threading import RLock
from types import FrameType
from typing import TypeGuard
from weakref import ref

from capability_router.sdks.reader import Reader

_TOP = 4  # frames between a thread's read and the object that holds its socket
_BODIES = {  # "" = any function except `begin`
    "httpcore._sync.http11": "_receive_response_body", "httpcore2._sync.http11": "_receive_response_body",
    "http.client": "",
}  # fmt: skip
_HEAD = "begin"
_TRIES, _PAUSE_S = 3, 0.002


def shut(reader: Reader) -> bool:
    """Shut the connection whose body it waits for; False = it waits for no body at this moment."""
    frames = _stack(reader)
    found = _read(frames)
    if found is None or not _reads_body(frames):
        return False
    if _top(reader) is not frames[0]:  # its read has just ended, and another call may have the connection
        return False
    with suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(found, socket.SHUT_RDWR)  # SSLSocket's own drops the reader's TLS state
    return True


def at_socket(reader: Reader) -> bool:
    """Whether it is reading from a socket, even one that can't be shut."""
    return _read(_stack(reader)) is not None


def _stack(reader: Reader) -> list[FrameType]:
    return list(_frames(_top(reader)))


def _top(reader: Reader) -> FrameType | None:
    """What its thread runs. The number is looked at twice, because meanwhile it may have become another thread's."""
    ident = reader.ident
    top = None if ident is None else sys._current_frames().get(ident)
    return top if reader.ident is not None else None


def _read(frames: list[FrameType]) -> socket.socket | None:
    return next(filter(None, map(_socket, frames[:_TOP])), None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _socket(frame: FrameType) -> socket.socket | None:
    """The socket that the frame's object is or holds. A model's own client may stand here, so none of its code runs."""
    owner = frame.f_locals.get("self")
    held = owner if _is_socket(owner) else getattr_static(owner, "_sock", None)
    return held if _is_socket(held) else None


def _is_socket(thing: object) -> TypeGuard[socket.socket]:
    return issubclass(type(thing), socket.socket)  # `isinstance` asks a proxy for its `__class__`


def _reads_body(frames: list[FrameType]) -> bool:
    seen = [(str(frame.f_globals.get("__name__")), frame.f_code.co_name) for frame in frames]
    if any(_BODIES.get(module) == "" and name == _HEAD for module, name in seen):
        return False
    return any(module in _BODIES and _BODIES[module] in ("", name) for module, name in seen)


class AbandonedAttempts:
    """Attempts that were given up while their threads read. Each is looked at again until it is over. Thread-safe.

    An attempt is kept, not its thread: the thread, or another one with its number, may soon read for another call. The
    references are weak: a thread refers to its attempt for as long as it reads for it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """After a fork: the threads are the other process's, and one of them may have held the lock."""
        self._readers: list[ref[Reader]] = []
        self._lock = RLock()  # the garbage collector may end a request in the middle of another's

    def add(self, reader: Reader) -> None:
        """End what this attempt waits for, and what earlier ones still wait for."""
        for _ in range(_TRIES):
            if reader.ident is None or shut(reader) or sys.is_finalizing():  # then no thread goes on
                break
            if reader.thread is not None:
                reader.thread.join(_PAUSE_S)
        with self._lock:
            waiting = [one for one in (kept() for kept in self._readers) if one is not None and one.ident is not None]
            self._readers = [ref(one) for one in (*waiting, reader) if one.ident is not None]
        for one in waiting:
            shut(one)

    def __repr__(self) -> str:
        return f"<AbandonedAttempts {len(self._readers)} attempts>"


ABANDONED = AbandonedAttempts()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=ABANDONED.forget)
