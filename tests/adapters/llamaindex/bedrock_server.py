"""A loopback server that streams as Bedrock's runtime does: events in AWS's binary frames."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Event = tuple[str, dict[str, Any]]
TOOL = {"name": "multiply", "toolUseId": "t1"}


def said(*texts: str) -> list[Event]:
    """An answer's text."""
    return [("contentBlockDelta", {"delta": {"text": text}, "contentBlockIndex": 0}) for text in texts]


def calls(arguments: str) -> list[Event]:
    """A tool call with these arguments, as JSON."""
    return [
        ("contentBlockStart", {"start": {"toolUse": TOOL}, "contentBlockIndex": 0}),
        ("contentBlockDelta", {"delta": {"toolUse": {"input": arguments}}, "contentBlockIndex": 0}),
    ]


def ended(reason: str) -> list[Event]:
    """How Bedrock ends a stream."""
    counts = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
    return [("messageStop", {"stopReason": reason}), ("metadata", {"usage": counts, "metrics": {"latencyMs": 5}})]


class BedrockServer:
    """Streams what stands in `scripts` under the model's name. `asked`: the models, in order.

    `breaks`: it hangs up where more was to come.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, list[Event]] = {}
        self.asked: list[str] = []
        self.breaks = False
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                model = unquote(self.path.split("/")[2])
                owner.asked.append(model)
                frames = b"".join(_frame(*event) for event in [_BEGUN, *owner.scripts[model]])
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.amazon.eventstream")
                self.send_header("Content-Length", str(len(frames) + owner.breaks))
                self.close_connection = owner.breaks
                self.end_headers()
                self.wfile.write(frames)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


_BEGUN: Event = ("messageStart", {"role": "assistant"})
_KIND_OF_TEXT = 7


def _frame(name: str, told: dict[str, Any]) -> bytes:
    named = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_header(*pair) for pair in named.items())
    payload = json.dumps(told).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def _header(name: str, value: str) -> bytes:
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _KIND_OF_TEXT, len(value)) + value.encode()
