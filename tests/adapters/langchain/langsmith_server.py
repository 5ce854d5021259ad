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
from traced import Traced, tree

_INGEST = {
    "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520,
    "scale_up_nthreads_limit": 1, "scale_up_qsize_trigger": 1000,
}  # fmt: skip


class LangSmithServer:
    """`client` sends here, compressed if `zstd`; `tree()` is what has arrived.

    `encodings` are those of the bodies that came, `feedback` the scores. `options` are the client's own.
    """

    def __init__(self, *, zstd: bool = True, **options: Any) -> None:
        self._sent: dict[str, dict[str, dict[str, Any]]] = {}
        self.encodings: set[str] = set()
        self.feedback: list[dict[str, Any]] = []
        owner = self
        flags = {"zstd_compression_enabled": zstd}
        info = {"version": "0.14.0", "instance_flags": flags, "batch_ingest_config": _INGEST}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                _send(self, 200, info)

            def do_POST(self) -> None:
                owner.encodings.add(self.headers.get("Content-Encoding") or "plain")
                owner.ingest(_body(self), self.headers["Content-Type"])
                _send(self, 202, {})

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = Client(api_url=self.url, api_key="x", auto_batch_tracing=True, **options)

    def close(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._server.server_close()

    def ingest(self, raw: bytes, content_type: str) -> None:
        if not content_type.startswith("multipart/"):
            return
        whole = b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw
        for part in BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts():
            operation, id, *field = str(part.get_param("name", header="content-disposition")).split(".")
            value = json.loads(part.get_payload(decode=True))
            if operation == "feedback":
                self.feedback.append(value)
                continue
            known = self._sent.setdefault(id, {}).setdefault(operation, {})
            known.update({field[0]: value} if field else {n: held for n, held in value.items() if held is not None})

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Each run, its patches over its post: bodies are sent by several threads and may come in any order."""
        return [{**sent.get("post", {}), **sent.get("patch", {})} for sent in self._sent.values()]

    def tree(self) -> list[Traced]:
        self.client.flush()
        return tree(_row(run) for run in self.runs)


def _row(run: dict[str, Any]) -> tuple[str | None, Any, Traced]:
    metadata = run["extra"]["metadata"]
    usage = metadata.get("usage_metadata")
    traced = Traced(
        id=run["id"], name=run["name"], kind=run["run_type"], error=run.get("error") or "", metadata=metadata,
        usage=(usage["input_tokens"], usage["output_tokens"]) if usage else None, model=metadata.get("ls_model_name"),
    )  # fmt: skip
    return run.get("parent_run_id"), run["dotted_order"], traced


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
