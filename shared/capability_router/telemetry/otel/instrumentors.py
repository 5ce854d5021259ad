"""Who else makes spans of the models' calls: the frameworks' own instrumentors, and LangSmith's OpenTelemetry mode.

A sum of tokens and money over spans would count two spans of one call twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple


class Watch(NamedTuple):
    """`seen`: another instrumentor makes spans of the models' calls. `told`: its span of the run has the decision."""

    seen: bool = False
    told: bool = False

    def and_also(self, other: Watch) -> Watch:
        """Both of them watch."""
        return Watch(self.seen or other.seen, self.told or other.told)


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
"""Framework -> module and class of its instrumentors, and whether they show a run's metadata as it is at the end.

Under `opentelemetry`: Traceloop's, then its own. OpenTelemetry's own for LlamaIndex is none of these: it leaves the
models' calls to the instrumentors of the providers' SDKs.
"""
_SCOPES = ("openinference.", "opentelemetry.instrumentation.", "mlflow.")
_YES = ("1", "true", "yes", "on")


def watched(framework: str, environ: Mapping[str, str] = os.environ) -> Watch:
    """Whether another instrumentor makes spans of this framework's models at this moment. Imports nothing."""
    watch = Watch(*((True, True) if framework == "langchain" and _langsmith(environ) else ()))
    for module, name, told in _KNOWN.get(framework, ()):
        if at_work(getattr(sys.modules.get(module), name, None)):
            watch = watch.and_also(Watch(True, told))
    return watch


def of_an_instrumentor(span: object) -> bool:
    """Whether one of them made this span, and not the application; MLflow is one where it shares its provider."""
    scope = str(getattr(getattr(span, "instrumentation_scope", None), "name", ""))
    return scope.startswith(_SCOPES) and (not scope.startswith("mlflow.") or mlflow_shares())


def at_work(instrumentor: object) -> bool:
    """Whether this class's instance, of which there is one, is switched on by its own word."""
    instance = getattr(instrumentor, "_instance", None)
    return bool(getattr(instance, "is_instrumented_by_opentelemetry", False))


def mlflow_shares() -> bool:
    """Whether MLflow's spans go where the application's do; by default they go to MLflow alone."""
    return os.environ.get("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "").lower() in ("false", "0")


def _langsmith(environ: Mapping[str, str]) -> bool:
    if not any(_is_set(environ, name) for name in ("TRACING", "TRACING_V2")):
        return False
    mode = environ.get("LANGSMITH_TRACING_MODE", "").lower()
    return mode in ("otel", "hybrid") or _is_set(environ, "OTEL_ENABLED")


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return any(environ.get(f"{maker}_{name}", "").lower() in _YES for maker in ("LANGSMITH", "LANGCHAIN"))
