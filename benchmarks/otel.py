"""What OpenTelemetry costs a request: a scripted router without it, with it, and with a decision log, in turn.

    python -m benchmarks.otel

The real SDK with its batch processor and an exporter that throws all away. Medians, in microseconds: of processor time
in the caller's thread, and of the clock on the wall.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from capability_router.clock import SystemClock
from capability_router.testing import ask, scripted_router

ROUNDS, REQUESTS = 5, 400


class NullExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.otel", description=__doc__).parse_args()
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(NullExporter()))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider(metric_readers=[InMemoryMetricReader()]))
    with tempfile.TemporaryDirectory() as folder:
        settings = {"off": {}, "otel": {"otel": True}, "jsonl": {"jsonl": str(Path(folder) / "log.jsonl")}}
        routers = {
            name: scripted_router({"a": ["ok"]}, clock=SystemClock(), telemetry=told) for name, told in settings.items()
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in routers}
        for _ in range(ROUNDS):
            for name, router in routers.items():
                for _ in range(REQUESTS):
                    cpu, wall = time.thread_time(), time.perf_counter()
                    ask(router)
                    taken[name].append((time.thread_time() - cpu, time.perf_counter() - wall))
        for router in routers.values():
            router.close()
    for name, times in taken.items():
        cpu, wall = (statistics.median(column) * 1e6 for column in zip(*times, strict=True))
        print(f"{name:6} processor {cpu:4.0f}  wall {wall:4.0f}")


if __name__ == "__main__":
    main()
