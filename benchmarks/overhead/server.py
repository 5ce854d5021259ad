"""A Chat Completions server in a process of its own, which does next to nothing: python -m benchmarks.overhead.server

Prints its port. It answers at once; below `/thinking/v1` after 5 ms, so that 50 calls at once are 50 calls in flight.
A stream's first event is written alone, then all others. A model called "broken" is answered with an error 500.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHUNKS, THINKS_S = 20, 0.005
ANSWER, WORD = "It is.", "word "
REPLY = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
}  # fmt: skip
ERROR = {"error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}}


def _event(content: str | None, finish: str | None) -> bytes:
    delta = {} if content is None else {"role": "assistant", "content": content}
    chunk = {**REPLY, "object": "chat.completion.chunk", "usage": None}
    chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _http(body: bytes, kind: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
    return head + body


WHOLE = [_http(json.dumps(REPLY).encode(), b"application/json")]
_EVENTS = [*(_event(WORD, None) for _ in range(CHUNKS)), _event(None, "stop"), b"data: [DONE]\n\n"]
_STREAM = _http(b"".join(_EVENTS), b"text/event-stream")
_FIRST = _STREAM.index(_EVENTS[0]) + len(_EVENTS[0])
STREAM = [_STREAM[:_FIRST], _STREAM[_FIRST:]]
FAILED = [_http(json.dumps(ERROR).encode(), b"application/json", b"500 Internal Server Error")]


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if mark and len(rest) >= size:
            self.buffer = rest[size:]
            parts = _answer(rest[:size])
            if head.startswith(b"POST /thinking/"):
                asyncio.get_running_loop().call_later(THINKS_S, self._write, parts)
            else:
                self._write(parts)

    def _write(self, parts: list[bytes]) -> None:
        for part in parts:  # each is a segment of its own: asyncio's sockets do not wait for more to send
            self.transport.write(part)


def _answer(body: bytes) -> list[bytes]:
    if b'"model":"broken"' in body or b'"model": "broken"' in body:
        return FAILED
    return STREAM if b'"stream":true' in body or b'"stream": true' in body else WHOLE


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running() -> Iterator[str]:
    """Its address, such as http://127.0.0.1:1234, as long as the block runs."""
    command = [sys.executable, "-m", "benchmarks.overhead.server"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:  # noqa: S603 - a module of ours
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve())
