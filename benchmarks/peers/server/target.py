"""One simulated model: a listener of its own, a plan of faults, and a count of what came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.peers.server.acts import ACTS, ServerRequest, well
from benchmarks.peers.server.wire import HttpWriter


@dataclass(frozen=True)
class FaultPlan:
    """`fault` hits a `share` of the calls, for `lasts_s` seconds from the start (None = for good)."""

    fault: str = "well"
    share: float = 1.0
    lasts_s: float | None = None
    seed: int = 0


@dataclass
class Target:
    """Listens on a port of its own. Well until `begin`, then as planned."""

    plan: FaultPlan
    port: int = 0
    calls: int = 0
    wasted: int = 0
    good_at: list[float] = field(default_factory=list)
    began: float | None = None
    _server: asyncio.Server | None = None
    _callers: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(default_factory=dict)
    _draw: random.Random = field(default_factory=random.Random)

    async def open(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._draw.seed(self.plan.seed)

    async def begin(self) -> None:
        """The plan's faults begin now; counts start anew."""
        self.calls = self.wasted = 0
        self.good_at.clear()
        self.began = time.monotonic()
        if self.plan.fault == "refused":
            await self.close()
            if self.plan.lasts_s is not None:
                asyncio.get_running_loop().call_later(self.plan.lasts_s, lambda: asyncio.ensure_future(self.open()))

    async def close(self) -> None:
        """Stop to listen and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, writer in list(self._callers.items()):
            writer.transport.abort()
            if task is not None:
                task.cancel()
        await asyncio.sleep(0)

    def told(self) -> dict[str, Any]:
        """What came since `begin`; `good_at` in seconds since then."""
        began = self.began or 0.0
        return {"calls": self.calls, "wasted": self.wasted, "good_at": [round(at - began, 4) for at in self.good_at]}

    def _fails(self) -> bool:
        plan = self.plan
        if self.began is None or plan.fault in ("well", "refused"):
            return False
        if plan.lasts_s is not None and time.monotonic() - self.began >= plan.lasts_s:
            return False
        return plan.share >= 1 or self._draw.random() < plan.share

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._callers[task] = writer
        try:
            while True:
                await self._answer(await _request(reader), HttpWriter(writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client went away, or was made to
        finally:
            self._callers.pop(task, None)
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, body: dict[str, Any], wire: HttpWriter) -> None:
        fails = self._fails()
        self.calls += 1
        self.wasted += fails
        await (ACTS[self.plan.fault] if fails else well)(wire, ServerRequest.read(body))
        if not fails:
            self.good_at.append(time.monotonic())


async def _request(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    size = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
    if "transfer-encoding: chunked" in head:
        return json.loads(await _chunked(reader))  # type: ignore[no-any-return]  # a request is an object
    return json.loads(await reader.readexactly(size))  # type: ignore[no-any-return]  # a request is an object


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip() or b"0", 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
