"""How an answer reaches the client: at the model's pace, whole or streamed, or only in part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from capability_router.clock import Clock
from capability_router.simulator.fault import ScriptedFault
from capability_router.simulator.fault_effects import BREAKS
from capability_router.simulator.http.reply_sender import EVENTS, ReplySender
from capability_router.simulator.http.wire import Piece, sse

_TICK_S = 0.001  # shorter waits are not slept: what falls due within them is sent together
_IN_STREAM = {"message": "The model is overloaded.", "type": "overloaded_error", "param": None, "code": "overloaded"}


class GenerationSpeed(NamedTuple):
    """Seconds to the first token and per output token, already scaled."""

    first_s: float
    token_s: float


class Delivery:
    """Delivers one answer. `settle(tokens, complete)` is called before the last byte leaves.

    An outage may cut the connection in the same turn of the loop in which the answer is ready: then it is not complete.
    """

    def __init__(
        self,
        stage: ReplySender,
        pace: GenerationSpeed,
        clock: Clock,
        fault: ScriptedFault | None,
        headers: Mapping[str, str],
        settle: Callable[[int, bool], None],
    ) -> None:
        self._stage, self._pace, self._clock = stage, pace, clock
        self._headers, self._settle = headers, settle
        self._late_s = fault.delay_s if fault and fault.kind == "slow_first_token" else 0.0
        self._break = fault if fault and fault.kind in BREAKS else None
        self._opened = False
        self.tokens = 0

    async def whole(self, value: dict[str, Any], tokens: int) -> None:
        """The answer as one JSON reply."""
        self.tokens = tokens
        await asyncio.sleep(self._late_s + self._pace.first_s + tokens * self._pace.token_s)
        if self._break is None:
            self._settle(tokens, not self._stage.lost)
            await self._stage.json(200, value, self._headers)
        else:
            await self._part(self._break.kind, value)

    async def _part(self, kind: str, value: dict[str, Any]) -> None:
        self._settle(self.tokens, False)
        if kind == "in_stream_error":
            await self._stage.json(200, {"error": _IN_STREAM}, self._headers)
        elif kind == "clean_truncation":
            value["choices"][0]["finish_reason"] = None
            await self._stage.json(200, value, self._headers)
        else:
            await self._stage.half(value, self._headers)
            await self._stop(kind)

    async def _stop(self, kind: str) -> None:
        if kind == "stall":
            await asyncio.Event().wait()
        await self._stage.abort()

    async def stream(self, pieces: list[Piece]) -> None:
        """The answer as server-sent events."""
        if self._late_s:  # a slow first token shows its headers and role at once
            await self._write(pieces.pop(0).data)
            await asyncio.sleep(self._late_s)
        kept, broken = self._kept(pieces)
        start, waiting = self._clock.now() + self._pace.first_s, bytearray()
        for piece in kept:
            left = start + piece.tokens * self._pace.token_s - self._clock.now()
            if left > _TICK_S:
                await self._write(bytes(waiting))
                waiting.clear()
                await asyncio.sleep(left)
            waiting += piece.data
            self.tokens = piece.tokens
        await self._finish(bytes(waiting), broken)

    def _kept(self, pieces: list[Piece]) -> tuple[list[Piece], str]:
        """The pieces before the break, and its kind ("" for none)."""
        if self._break is None:
            return pieces, ""
        content = [p for p in pieces if p.role == "content"]
        opening = [p for p in pieces if p.role == "opening"]
        return opening + content[: self._break.after_chunks], self._break.kind

    async def _write(self, data: bytes) -> None:
        if data:
            await self._open()
            await self._stage.write(data)

    async def _open(self) -> None:
        if not self._opened:
            self._opened = True
            await self._stage.open(200, EVENTS, self._headers)

    async def _finish(self, rest: bytes, broken: str) -> None:
        await self._open()
        self._settle(self.tokens, not broken and not self._stage.lost)
        if broken in ("cut", "stall"):
            await self._write(rest)
            await self._stop(broken)
        else:
            await self._stage.close(rest + (sse({"error": _IN_STREAM}) if broken == "in_stream_error" else b""))
