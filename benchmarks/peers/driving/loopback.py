"""Keeps a peer on loopback, and counts the connections that it tries to open to a port.

An audit hook sees every connect of the process, whichever client library makes it. A connection to
anywhere else is an error: no telemetry, no price list, no tokenizer leaves the machine.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

_HOMES = ("127.0.0.1", "::1", "localhost")
connects: Counter[int] = Counter()
"""Port -> connections tried."""


class LeftLoopback(RuntimeError):
    """A peer tried to reach another machine."""


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        host, port = args[1][:2]
        if host not in _HOMES:
            raise LeftLoopback(f"a connection to {host}")
        connects[port] += 1
    elif event == "socket.getaddrinfo" and args[0] not in (*_HOMES, None, b"127.0.0.1", b"localhost"):
        raise LeftLoopback(f"a look-up of {args[0]!r}")


def hold() -> None:
    """From now on."""
    sys.addaudithook(_watch)
