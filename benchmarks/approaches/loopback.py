"""The recorded providers behind one HTTP server on 127.0.0.1 that speaks Chat Completions, streams alone."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from benchmarks.approaches.provider import RecordedProvider
from benchmarks.approaches.workload import PosedQuestion

_HEAD = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\nconnection: close\r\n\r\n"


class Loopback:
    """Use it as a context manager; `url` has no path. Requests are told apart by their text."""

    def __init__(self, providers: Mapping[str, RecordedProvider], posed: Mapping[str, PosedQuestion]) -> None:
        self._providers = providers
        self._known = {each.text: (id, each) for id, each in posed.items()}
        self._calls: Counter[str] = Counter()
        self._loop, self._ready = asyncio.new_event_loop(), Event()
        self._thread = Thread(target=self._serve, daemon=True)
        self._began = 0.0
        self.url = ""

    def __enter__(self) -> Loopback:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def begin(self) -> None:
        """Now is the moment 0 of the run."""
        self._began = self._loop.time()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._taken, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await self._answer(json.loads(await reader.readexactly(size)), writer)
            await writer.drain()
        writer.close()

    async def _answer(self, body: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        id, posed = self._known[body["messages"][-1]["content"]]
        self._calls[id] += 1
        answer = posed.question.answers[body["model"]]
        tokens = (answer.entered + posed.extra, answer.written)
        provider, now = self._providers[body["model"]], self._loop.time()
        script = provider.play(now - self._began, f"{id} {self._calls[id]}", tokens)
        if script.fault is not None:
            await self._until(now + script.end_s)
            error = {"error": {"message": "scripted", "type": "server_error"}}
            writer.write(_HEAD % (script.fault.status or 500, b"Scripted", b"application/json"))
            writer.write(json.dumps(error).encode())
            return
        writer.write(_HEAD % (200, b"OK", b"text/event-stream"))
        for piece in range(script.pieces):
            at = script.first_s + (script.end_s - script.first_s) * piece / script.pieces
            await self._until(now + at)
            writer.write(_event(body["model"], {"content": f"{provider.name} "}))
        await self._until(now + script.end_s)
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
        writer.write(_event(body["model"], {}, "stop", usage) + b"data: [DONE]\n\n")

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(at - self._loop.time(), 0.0))


def _event(model: str, delta: Mapping[str, str], finish: str | None = None, usage: object = None) -> bytes:
    chunk = {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "usage": usage,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }  # fmt: skip
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
