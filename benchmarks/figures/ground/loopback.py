"""A server on loopback that speaks three providers' formats and misbehaves as its model's name says.

`dead-*` answers 500 at once. `first-*` begins a stream and says nothing, `between-*` says one word and nothing
more, until the server is closed. It counts the requests of each model.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def _openai(model: str) -> str:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "one"}, "finish_reason": None}
    return "data: " + json.dumps(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    ) + "\n\n"  # fmt: skip


def _anthropic(model: str) -> str:
    message = {
        "id": "m1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one"}},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _ollama(model: str) -> str:
    message = {"role": "assistant", "content": "one"}
    return json.dumps({"model": model, "created_at": "2025-01-01T00:00:00Z", "message": message, "done": False}) + "\n"


FORMATS = {"messages": _anthropic, "chat": _ollama}
"""By the path's last part; any other is OpenAI's."""


def _named(path: str, body: dict[str, Any]) -> str:
    """The model: in the path's first part (for a client that takes no made-up names), the body, or Gemini's last."""
    first = path.split("/")[1]
    return first if first.startswith("dead-") else str(body.get("model") or path.rpartition("/")[2].partition(":")[0])


class SilentHTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that resets its connection is what is measured here."""


class Server:
    """Runs until `close`; `url` has no path."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._http = SilentHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"owner": self}))
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def count(self, model: str) -> None:
        with self._lock:
            self.calls[model] += 1

    def release(self, for_s: float = 0.5) -> None:
        """End every answer that stalls now or begins to within this time."""
        self._closing.set()
        time.sleep(for_s)
        self._closing.clear()

    def stall(self) -> None:
        self._closing.wait(30)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: Server

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        model = _named(path, body)
        self.owner.count(model)
        if model.startswith("dead"):
            self._refuse()
        else:
            with suppress(ConnectionError):  # a client that has given up is the point
                self._stall(model, FORMATS.get(path.rpartition("/")[2], _openai))

    def _refuse(self) -> None:
        data = json.dumps({"error": {"message": "scripted", "type": "server_error", "code": 500}}).encode()
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stall(self, model: str, first: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson" if first is _ollama else "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if model.startswith("between"):
            self.wfile.write(first(model).encode())
            self.wfile.flush()
        self.owner.stall()
