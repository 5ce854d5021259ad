"""One HTTP reply: complete, streamed, cut in the middle, or a connection closed without a reply."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

from starlette.types import Scope, Send

from capability_router.simulator.tokens import compact

JSON, EVENTS, HTML = "application/json", "text/event-stream; charset=utf-8", "text/html; charset=utf-8"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ReplySender:
    """Sends one reply. `ended` once its last byte is on the way or its connection is being closed."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.ended = False

    @property
    def lost(self) -> bool:
        """Whether its connection is closed already, so that nothing that is sent now arrives."""
        return self._transport is not None and self._transport.is_closing()

    @property
    def _transport(self) -> Any:
        return (self._scope.get("state") or {}).get("transport")

    async def json(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        """A JSON reply."""
        await self.whole(status, compact(value).encode(), JSON, headers)

    async def whole(self, status: int, body: bytes, kind: str, headers: Mapping[str, str]) -> None:
        """A reply in one piece."""
        await self.open(status, kind, {**headers, "content-length": str(len(body))})
        self.ended = True
        await self._send({"type": "http.response.body", "body": body})

    async def half(self, value: Any, headers: Mapping[str, str]) -> None:
        """The headers of a JSON reply and the first half of its body."""
        body = compact(value).encode()
        await self.open(200, JSON, {**headers, "content-length": str(len(body))})
        await self.write(body[: len(body) // 2])

    async def open(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        """Status line and headers."""
        raw = [(b"content-type", kind.encode())] + [(k.encode(), v.encode()) for k, v in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """A part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self, data: bytes = b"") -> None:
        """The last part of the body."""
        self.ended = True
        await self._send({"type": "http.response.body", "body": data})

    async def abort(self, *, reset: bool = False) -> None:
        """Closes the connection as it stands; `reset` makes the client's kernel see a reset."""
        self.ended = True
        transport = self._transport
        if transport is None:
            raise ConnectionResetError("the simulated provider closed the connection")
        raw = transport.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
        await asyncio.sleep(0)  # lets the server learn that the connection is lost before the reply ends
        await asyncio.sleep(0)
