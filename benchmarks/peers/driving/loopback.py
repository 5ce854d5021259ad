"""Keeps a peer on loopback, and counts the connections that it tries to open to a port.

Every Python client library connects by `socket.socket.connect` and looks names up by `socket.getaddrinfo`. A connection
to anywhere else is an error: no telemetry, no price list, no tokenizer leaves the machine.

Not an audit hook: the interpreter calls one for every `id()` and every look at a traceback's frame as well, thousands
of times in a wave of requests, and for one peer more often than for another.
"""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

_HOMES = ("127.0.0.1", "::1", "localhost")
connects: Counter[int] = Counter()
"""Port -> connections tried."""

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


class LeftLoopback(RuntimeError):
    """A peer tried to reach another machine."""


def _note(address: Any) -> None:
    if isinstance(address, tuple):
        host, port = address[:2]
        if host not in _HOMES:
            raise LeftLoopback(f"a connection to {host}")
        connects[port] += 1


def _connected(self: socket.socket, address: Any) -> None:
    _note(address)
    return _connect(self, address)


def _tried(self: socket.socket, address: Any) -> int:
    _note(address)
    return _connect_ex(self, address)


def _looked_up(host: Any, *given: Any, **options: Any) -> Any:
    if host not in (*_HOMES, None, b"127.0.0.1", b"localhost"):
        raise LeftLoopback(f"a look-up of {host!r}")
    return _getaddrinfo(host, *given, **options)


def hold() -> None:
    """From now on."""
    socket.socket.connect = _connected  # type: ignore[method-assign]
    socket.socket.connect_ex = _tried  # type: ignore[method-assign]
    socket.getaddrinfo = _looked_up
