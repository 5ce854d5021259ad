"""One connection's writing side: plain answers, chunked streams, silence, resets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

FOREVER_S = 3600.0


class HttpWriter:
    """Writes HTTP/1.1 to one client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def answer(
        self, body: bytes, status: int = 200, kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole response."""
        told = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        self._writer.write(_head(status, told) + body)
        await self._writer.drain()

    async def begin_stream(self) -> None:
        """The head of an event stream."""
        self._writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        await self._writer.drain()

    async def send(self, *events: bytes) -> None:
        """Events, each a chunk of its own."""
        self._writer.writelines(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
        await self._writer.drain()

    async def end_stream(self) -> None:
        """The end of the body, as a sound server writes it."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def pause(self, seconds: float = FOREVER_S) -> None:
        """Silence."""
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """A TCP reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
