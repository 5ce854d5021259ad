"""A loopback stand-in for LangSmith's ingest: keeps the runs that the real client sends, as a tree."""

from __future__ import annotations

import email.policy
import io
import json
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard
from langsmith import Client

_INFO = {
    "version": "0.14.0",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520,
        "scale_up_nthreads_limit": 1, "scale_up_qsize_trigger": 1000,
    },
}  # fmt: skip


class LangSmithServer:
    """`client` sends here; `tree()` is what has arrived, children in order under their parents."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                _send(self, 200, _INFO)

            def do_POST(self) -> None:
                owner.ingest(_body(self), self.headers["Content-Type"])
                _send(self, 202, {})

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.client = Client(
            api_url=f"http://127.0.0.1:{self._server.server_port}", api_key="x", auto_batch_tracing=True
        )

    def close(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._server.server_close()

    def ingest(self, raw: bytes, content_type: str) -> None:
        if not content_type.startswith("multipart/"):
            return
        whole = b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw
        for part in BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts():
            _, id, *field = str(part.get_param("name", header="content-disposition")).split(".")
            value, run = json.loads(part.get_payload(decode=True)), self.runs.setdefault(id, {})
            if field:
                run[field[0]] = value
            else:
                run.update({name: held for name, held in value.items() if held is not None})

    def tree(self) -> list[dict[str, Any]]:
        self.client.flush()
        return self._below(None)

    def _below(self, parent: str | None) -> list[dict[str, Any]]:
        found = [run for run in self.runs.values() if run.get("parent_run_id") == parent]
        found.sort(key=lambda run: run["dotted_order"])
        return [{**run, "children": self._below(run["id"])} for run in found]


def _body(http: BaseHTTPRequestHandler) -> bytes:
    if http.headers.get("Transfer-Encoding") == "chunked":
        raw = b""
        while size := int(http.rfile.readline().strip() or b"0", 16):
            raw += http.rfile.read(size)
            http.rfile.readline()
        http.rfile.readline()
    else:
        raw = http.rfile.read(int(http.headers.get("Content-Length", 0)))
    if http.headers.get("Content-Encoding") == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
    return raw


def _send(http: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)
