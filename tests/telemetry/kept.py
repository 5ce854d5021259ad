"""OpenTelemetry's real SDK, set once for the process as an application does, with what it exports kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SCOPE = "capability_router"


class Hinder(SpanProcessor):
    """Stands before the exporter, and does what a test has it do."""

    def __init__(self) -> None:
        self.does: Callable[[], object] = lambda: None

    def on_end(self, span: ReadableSpan) -> None:
        self.does()


class Kept:
    """`spans` and `points` since it was last `emptied`."""

    def __init__(self) -> None:
        delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader(preferred_temporality=delta)
        self.provider, self.hinder = TracerProvider(), Hinder()
        self.provider.add_span_processor(self.hinder)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(self.provider)
        metrics.set_meter_provider(MeterProvider(metric_readers=[self._reader, PrometheusMetricReader()]))
        self.tracer = trace.get_tracer("the application")

    def emptied(self) -> Kept:
        self.hinder.does = lambda: None
        self._exporter.clear()
        self._reader.get_metrics_data()
        return self

    def spans(self, scope: str = SCOPE) -> list[ReadableSpan]:
        """In the order of their beginning, those of one library."""
        found = [span for span in self._exporter.get_finished_spans() if of(span) == scope]
        return sorted(found, key=lambda span: (span.start_time or 0, span.kind.value))

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def points(self) -> dict[str, list[Any]]:
        """Metric -> its points, since they were last read."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for metric in _metrics(data):
            found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found


def _metrics(data: Any) -> Iterator[Any]:
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            if scope.scope.name == SCOPE:
                yield from scope.metrics


@cache
def kept() -> Kept:
    """The process's own: OpenTelemetry lets its providers be set once."""
    return Kept()


def of(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope else ""


def told(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes, ours without their prefix."""
    return {name.removeprefix("capability_router."): value for name, value in (span.attributes or {}).items()}


def below(span: ReadableSpan, spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return [s for s in spans if s.parent is not None and s.parent.span_id == span.context.span_id]


def summed(points: list[Any], **where: Any) -> float:
    """The sum of those with these attributes (their last words, e.g. token_type)."""
    chosen = [p for p in points if all(_by_end(p.attributes, n) == v for n, v in where.items())]
    return sum(p.sum if hasattr(p, "sum") else p.value for p in chosen)


def _by_end(attributes: Any, end: str) -> Any:
    return next((v for n, v in attributes.items() if n.replace(".", "_").endswith(end)), None)
