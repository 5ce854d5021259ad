"""A stand-in for Langfuse on loopback: keeps the spans and scores that its own client sends, as they come."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """A span as it was sent. `failed`: by its status."""

    id: str
    parent: str
    trace: str
    name: str
    scope: str
    began: int
    failed: bool
    attributes: dict[str, Any]

    @property
    def tokens(self) -> tuple[int, int] | None:
        """As Langfuse's server takes them: from its own attribute, else from OpenInference's or the conventions'."""
        told = self.attributes
        if own := told.get("langfuse.observation.usage_details"):
            return json.loads(own)["input"], json.loads(own)["output"]
        for names in ("llm.token_count.prompt", "llm.token_count.completion"), _CONVENTIONS:
            if names[0] in told:
                return told[names[0]], told[names[1]]
        return None

    @property
    def kind(self) -> str:
        """Likewise: what its server makes of the names in use."""
        told = self.attributes
        if own := told.get("langfuse.observation.type") or told.get("openinference.span.kind"):
            return {"LLM": "generation"}.get(own, own).lower()
        return "generation" if told.get("gen_ai.operation.name") == "chat" else "span"


_CONVENTIONS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


class LangfuseServer:
    """`spans` and `scores` since it was last emptied."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.scores: list[dict[str, Any]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "29")
                self.end_headers()
                self.wfile.write(b'{"successes":[], "errors":[]}')

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        if path.endswith("/otel/v1/traces"):
            sent = ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += [_span(span, scope.scope.name) for span in scope.spans]
        elif path.endswith("/api/public/scores"):
            self.scores += json.loads(body)

    def emptied(self) -> LangfuseServer:
        self.spans.clear()
        self.scores.clear()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _span(span: Any, scope: str) -> Span:
    told = {pair.key: _value(pair.value) for pair in span.attributes}
    return Span(
        span.span_id.hex(), span.parent_span_id.hex(), span.trace_id.hex(), span.name, scope, span.start_time_unix_nano,
        span.status.code == 2 or told.get("langfuse.observation.level") == "ERROR", told,
    )  # fmt: skip


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value") or "string_value"
    return [_value(v) for v in value.array_value.values] if kind == "array_value" else getattr(value, kind)
