"""Recognises LangChain callback handlers that make spans: Langfuse's, MLflow's, LangSmith's, OpenTelemetry's.

They are recognised by the modules of their classes; nothing is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.context import Context

from capability_router.telemetry.otel.instrumentors import InstrumentorStatus, mlflow_shares

_NOBODY, _TELLS = InstrumentorStatus(), InstrumentorStatus(seen=True, told=True)


def listening(handlers: Iterable[object]) -> InstrumentorStatus:
    """Whether one of them makes spans of the models' runs, in the same tracer provider as the router's spans."""
    watch = _NOBODY
    for handler in handlers:
        watch = watch.combined_with(_watch(handler))
    return watch


def context_below(handlers: Iterable[object], run_id: object) -> Context | None:
    """The context with the run's span as parent, from a handler that does not make it current (OpenTelemetry's)."""
    for handler in handlers:
        below = getattr(getattr(handler, "_invocation_manager", None), "get_parent_context", None)
        if callable(below) and isinstance(context := below(run_id), Context):
            return context
    return None


def _watch(handler: Any) -> InstrumentorStatus:
    maker = type(handler).__module__.partition(".")[0]
    if maker == "langfuse":
        return _TELLS
    if maker == "mlflow":
        return _TELLS if mlflow_shares() else _NOBODY
    sends = getattr(getattr(handler, "client", None), "_tracing_mode", "")  # LangSmith's, by its tracer's client
    return _TELLS if sends in ("otel", "hybrid") else _NOBODY
