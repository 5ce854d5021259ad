"""Who else makes spans of the models' calls: the frameworks' own instrumentors, and LangSmith's OpenTelemetry mode.

Two spans of one call are two calls to whoever sums tokens and money over spans.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_KNOWN = {
    "langchain": (
        ("openinference.instrumentation.langchain", "LangChainInstrumentor"),
        ("opentelemetry.instrumentation.langchain", "LangchainInstrumentor"),
        ("opentelemetry.instrumentation.langchain", "LangChainInstrumentor"),
        ("opentelemetry.instrumentation.genai.langchain", "LangChainInstrumentor"),
    ),
    "llamaindex": (
        ("openinference.instrumentation.llama_index", "LlamaIndexInstrumentor"),
        ("opentelemetry.instrumentation.llamaindex", "LlamaIndexInstrumentor"),
    ),
}
"""Framework -> module and class of its instrumentors. Under `opentelemetry`: Traceloop's, then its own."""
_SCOPES = ("openinference.", "opentelemetry.instrumentation.")
_YES = ("1", "true", "yes", "on")


def instrumented(framework: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether calls of this framework's models have spans by somebody else at this moment. Imports nothing."""
    if any(_at_work(module, name) for module, name in _KNOWN.get(framework, ())):
        return True
    return framework == "langchain" and _langsmith(environ)


def of_an_instrumentor(span: object) -> bool:
    """Whether this span was made by one of them, and not by the application."""
    scope = getattr(span, "instrumentation_scope", None)
    return str(getattr(scope, "name", "")).startswith(_SCOPES)


def _at_work(module: str, name: str) -> bool:
    """An instrumentor has one instance; it says whether it is switched on."""
    instance = getattr(getattr(sys.modules.get(module), name, None), "_instance", None)
    return bool(getattr(instance, "is_instrumented_by_opentelemetry", False))


def _langsmith(environ: Mapping[str, str]) -> bool:
    if not any(_is_set(environ, name) for name in ("TRACING", "TRACING_V2")):
        return False
    mode = environ.get("LANGSMITH_TRACING_MODE", "").lower()
    return mode in ("otel", "hybrid") or _is_set(environ, "OTEL_ENABLED")


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return any(environ.get(f"{maker}_{name}", "").lower() in _YES for maker in ("LANGSMITH", "LANGCHAIN"))
