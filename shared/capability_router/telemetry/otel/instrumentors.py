"""Detects other instrumentation of the models' calls: instrumentors of the frameworks, LangSmith's OpenTelemetry mode.

Two spans of one call would count its tokens and cost twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple


class InstrumentorStatus(NamedTuple):
    """`seen`: an instrumentor makes spans of the models' calls. `told`: its span of the run contains the decision."""

    seen: bool = False
    told: bool = False

    def combined_with(self, other: InstrumentorStatus) -> InstrumentorStatus:
        """The combination of two."""
        return InstrumentorStatus(self.seen or other.seen, self.told or other.told)


_KNOWN = {
    "langchain": (
        ("openinference.instrumentation.langchain", "LangChainInstrumentor", True),
        ("opentelemetry.instrumentation.langchain", "LangchainInstrumentor", False),
        ("opentelemetry.instrumentation.langchain", "LangChainInstrumentor", False),
        ("opentelemetry.instrumentation.genai.langchain", "LangChainInstrumentor", False),
    ),
    "llamaindex": (
        ("openinference.instrumentation.llama_index", "LlamaIndexInstrumentor", False),
        ("opentelemetry.instrumentation.llamaindex", "LlamaIndexInstrumentor", False),
    ),
}
"""Framework -> module and class of its instrumentors, and whether they show a run's metadata as of the run's end.

Under `opentelemetry`: Traceloop's, then OpenTelemetry's own. For LlamaIndex the latter is left out, because it makes
no spans of models' calls.
"""
_SCOPES = ("openinference.", "opentelemetry.instrumentation.", "mlflow.")
_YES = ("1", "true", "yes", "on")


def watched(framework: str, environ: Mapping[str, str] = os.environ) -> InstrumentorStatus:
    """Whether an instrumentor for this framework is active now. Imports nothing."""
    watch = InstrumentorStatus(*((True, True) if framework == "langchain" and _langsmith(environ) else ()))
    for module, name, told in _KNOWN.get(framework, ()):
        if at_work(getattr(sys.modules.get(module), name, None)):
            watch = watch.combined_with(InstrumentorStatus(True, told))
    return watch


def is_instrumentor_span(span: object) -> bool:
    """Whether an instrumentor made this span, not the application. MLflow counts if it shares the tracer provider."""
    scope = str(getattr(getattr(span, "instrumentation_scope", None), "name", ""))
    return scope.startswith(_SCOPES) and (not scope.startswith("mlflow.") or mlflow_shares())


def at_work(instrumentor: object) -> bool:
    """Whether the instrumentor of this class, a singleton, reports that it is switched on."""
    instance = getattr(instrumentor, "_instance", None)
    return bool(getattr(instance, "is_instrumented_by_opentelemetry", False))


def mlflow_shares() -> bool:
    """Whether MLflow uses the application's tracer provider; by default its spans go to MLflow only."""
    return os.environ.get("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "").lower() in ("false", "0")


def _langsmith(environ: Mapping[str, str]) -> bool:
    if not any(_is_set(environ, name) for name in ("TRACING", "TRACING_V2")):
        return False
    mode = environ.get("LANGSMITH_TRACING_MODE", "").lower()
    return mode in ("otel", "hybrid") or _is_set(environ, "OTEL_ENABLED")


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return any(environ.get(f"{maker}_{name}", "").lower() in _YES for maker in ("LANGSMITH", "LANGCHAIN"))
