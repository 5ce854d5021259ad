"""A stand-in for LangSmith on this machine: takes what its client sends, and keeps the runs as they would be stored."""

from __future__ import annotations

import email.policy
import json
import os
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langsmith import Client

_INFO = {"version": "0.14.0", "batch_ingest_config": {
    "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520,
    "scale_up_nthreads_limit": 1, "scale_up_qsize_trigger": 1000,
}}  # fmt: skip


class Capture:
    """`client` is a real LangSmith client that sends here, to 127.0.0.1; `runs()` is what has come."""

    def __init__(self) -> None:
        self._sent: dict[str, dict[str, dict[str, Any]]] = {}
        capture = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def do_GET(self) -> None:  # what can you take?
                _reply(self, 200, _INFO)

            def do_POST(self) -> None:  # runs
                body = self.rfile.read(int(self.headers["Content-Length"]))
                capture._take(body, self.headers["Content-Type"])
                _reply(self, 202, {})

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        os.environ["LANGSMITH_DISABLE_RUN_COMPRESSION"] = "true"  # LangSmith takes zstd; here it is left out
        self.client = Client(api_url=f"http://127.0.0.1:{self._server.server_port}", api_key="none")

    def runs(self) -> list[dict[str, Any]]:
        """All runs so far, in the order of their beginnings."""
        self.client.flush()
        whole = [{**sent.get("post", {}), **sent.get("patch", {})} for sent in self._sent.values()]
        return sorted(whole, key=lambda run: str(run["dotted_order"]))

    def close(self) -> None:
        """End the client and the server."""
        self.client.close()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes, content_type: str) -> None:
        """A multipart body: `post.<run>`, `patch.<run>`, and beside each `.inputs`, `.outputs`, `.extra`, `.error`."""
        head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
        for part in BytesParser(policy=email.policy.HTTP).parsebytes(head + body).iter_parts():
            operation, run, *field = str(part.get_param("name", header="content-disposition")).split(".")
            value = json.loads(part.get_payload(decode=True))
            known = self._sent.setdefault(run, {}).setdefault(operation, {})
            known.update({field[0]: value} if field else {k: v for k, v in value.items() if v is not None})


def _reply(http: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)
