"""LangSmith's client in its OpenTelemetry mode, with the spans kept in memory."""

from __future__ import annotations

import json
from typing import Any

from langsmith import Client
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from traced import Traced, tree

_METADATA = "langsmith.metadata."
_USAGE = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


class Spans:
    """`client` writes here; `tree()` is what has been written."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        # Nothing listens at this address: in this mode nothing may be sent there.
        self.client = Client(
            tracing_mode="otel", otel_tracer_provider=self.provider, api_key="x", api_url="http://127.0.0.1:9"
        )

    def tree(self) -> list[Traced]:
        self.client.flush()
        return self.written()

    def written(self) -> list[Traced]:
        spans = self._exporter.get_finished_spans()
        ids = {span.context.span_id for span in spans}  # a root's parent is a span that the client made up for its ids
        return tree(_row(span, ids) for span in spans)

    def close(self) -> None:
        self.client.close()
        self.provider.shutdown()


def _row(span: ReadableSpan, ids: set[int]) -> tuple[str | None, Any, Traced]:
    told = dict(span.attributes or {})
    metadata = {key.removeprefix(_METADATA): value for key, value in told.items() if key.startswith(_METADATA)}
    if "usage_metadata" in metadata:
        metadata["usage_metadata"] = json.loads(str(metadata["usage_metadata"]))
    # Not the status: the exporter says OK when a run starts, and OpenTelemetry lets no OK be taken back.
    raised = [e.attributes["exception.message"] for e in span.events if e.name == "exception" and e.attributes]
    usage = tuple(told[key] for key in _USAGE if key in told)
    traced = Traced(
        id=f"{span.context.span_id:x}", name=span.name, kind=str(told["langsmith.span.kind"]),
        error=str(raised[-1]) if raised else "", metadata=metadata, usage=usage or None,  # type: ignore[arg-type]  # two ints
        model=told.get("gen_ai.request.model"),  # type: ignore[arg-type]  # a text
    )  # fmt: skip
    parent = span.parent.span_id if span.parent else 0
    return f"{parent:x}" if parent in ids else None, span.start_time, traced
