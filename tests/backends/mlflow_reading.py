"""MLflow as a test asks it, by its client."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import mlflow
from backends.drawn import Shown

_TRIES = 100


def traces(experiment: str, spans: int) -> list[Any]:
    """The traces of an experiment, once so many spans of it are there: they are sent by a thread."""
    for _ in range(_TRIES):
        mlflow.flush_trace_async_logging()
        found: list[Any] = mlflow.search_traces(locations=[experiment], return_type="list")
        if sum(len(trace.data.spans) for trace in found) >= spans:
            return found
        time.sleep(0.2)
    raise AssertionError(f"MLflow has no {spans} spans: {found}")


def shown(trace: Any) -> list[Shown]:
    return [_shown(span) for span in trace.data.spans]


def _shown(span: Any) -> Shown:
    usage, cost = span.attributes.get("mlflow.chat.tokenUsage"), span.attributes.get("mlflow.llm.cost")
    return Shown(
        span.span_id, span.parent_id, span.name, (span.span_type or "").lower().replace("_", " "),
        str(span.status.status_code.value), datetime.fromtimestamp(span.start_time_ns / 1e9).isoformat(),
        (usage["input_tokens"], usage["output_tokens"]) if usage else None, cost["total_cost"] if cost else None,
    )  # fmt: skip
