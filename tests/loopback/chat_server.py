"""A scripted HTTP/1.1 server on loopback: each request is answered by the next step of its script."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Seen(NamedTuple):
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


class Wire:
    """What a step may do: send bytes, stall until the server stops, hang up."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock, self._stopping = sock, stopping

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def pause(self, seconds: float | None = None) -> None:
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """End the connection as a host that fails does."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


Step = Callable[[Wire], bool]  # whether the connection goes on


def reply(body: Any, status: int = 200, headers: Sequence[str] = (), kind: str = "application/json") -> Step:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(wire: Wire) -> bool:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(data)}", *headers]
        wire.send("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return True

    return step


def sse(*parts: Any, end: str = "whole", headers: Sequence[str] = (), status: int = 200) -> Step:
    """A stream. A part is a chunk (dict), raw bytes, or a number of seconds to pause (None = for ever).

    end: "whole" ([DONE] and the last chunk), "clean" (no [DONE]), "open" ([DONE], then nothing), "cut".
    """

    def step(wire: Wire) -> bool:
        lines = [f"HTTP/1.1 {status} X", "content-type: text/event-stream", "transfer-encoding: chunked", *headers]
        wire.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        for part in parts:
            if part is None or isinstance(part, float):
                wire.pause(part)
            else:
                wire.chunk(part if isinstance(part, bytes) else b"data: " + json.dumps(part).encode() + b"\n\n")
        if end in ("whole", "open"):
            wire.chunk(b"data: [DONE]\n\n")
        if end == "open":
            wire.pause()
        if end in ("whole", "clean"):
            wire.send(b"0\r\n\r\n")
        return end in ("whole", "clean")

    return step


def stall(wire: Wire) -> bool:
    wire.pause()
    return False


def hang_up(wire: Wire) -> bool:
    return False


def raw(data: bytes, *, then_close: bool = True) -> Step:
    def step(wire: Wire) -> bool:
        wire.send(data)
        return not then_close

    return step


def completion(text: str = "hello", **choice: Any) -> dict[str, Any]:
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }  # fmt: skip


def piece(text: str | None = None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    content = {} if text is None else {"content": text}
    return {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026",
        "choices": [{"index": 0, "delta": {**content, **delta}, "finish_reason": finish}],
    }  # fmt: skip


USAGE = {"id": "c1", "model": "m-2026", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


class ChatServer:
    """`script` holds the steps; the last one repeats. `seen` is every request that came."""

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.seen: list[Seen] = []
        self.connections = 0
        self._stopping = threading.Event()
        self._came = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, request_queue_size, allow_reuse_address = True, 128, True

            def get_request(self) -> tuple[Any, Any]:
                sock, address = super().get_request()
                return (tls.wrap_socket(sock, server_side=True), address) if tls else (sock, address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def wait_for_a_request(self) -> None:
        assert self._came.wait(10)

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            number = self.connections
        buffer = b""
        wire = Wire(sock, self._stopping)
        while True:
            while b"\r\n\r\n" not in buffer:
                data = sock.recv(65536)
                if not data:
                    return
                buffer += data
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            size = int(headers.get("content-length", 0))
            while len(buffer) < size:
                buffer += sock.recv(65536)
            body, buffer = buffer[:size], buffer[size:]
            with self._lock:
                step = self.script[min(len(self.seen), len(self.script) - 1)]
                self._came.set()
                self.seen.append(Seen(first.split(" ")[1], headers, json.loads(body) if body else None, number))
            if not step(wire):
                return
