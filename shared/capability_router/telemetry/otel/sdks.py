"""The providers' SDKs whose calls have spans by an instrumentor of their own, whatever framework makes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType

from capability_router.telemetry.otel.instrumentors import at_work

_SDKS = ("openai", "anthropic", "google_genai", "groq", "ollama")
_MAKERS = (
    "openinference.instrumentation.{}", "opentelemetry.instrumentation.{}", "opentelemetry.instrumentation.{}_v2",
    "opentelemetry.instrumentation.genai.{}",
)  # fmt: skip
"""Where instrumentors of an SDK are: OpenInference's, Traceloop's, OpenTelemetry's own until 2026 and since."""
_PLACES = tuple((maker.format(sdk), sdk) for sdk in _SDKS for maker in _MAKERS)
_NONE: frozenset[str] = frozenset()
_PACKAGES = {f"{package}{sdk}": sdk for sdk in _SDKS for package in ("langchain_", "llama_index.llms.")}
"""The frameworks' packages that call through an SDK; others' classes come from one of theirs, as OpenAILike does."""


def seen_by_sdks(models: Iterable[tuple[str, object]]) -> frozenset[str]:
    """The ids of those models, (id, model), whose calls an instrumentor of their SDK makes spans of at this moment."""
    loaded = [(sdk, sys.modules[place]) for place, sdk in _PLACES if place in sys.modules]
    seen = {sdk for sdk, module in loaded if _instruments(module)}
    return frozenset(id for id, model in models if sdk_of(model) in seen) if seen else _NONE


def sdk_of(model: object) -> str:
    """The SDK through which a framework's model calls; "" = none that is known."""
    return _sdk(tuple(kind.__module__ for kind in type(model).__mro__))


@lru_cache(maxsize=256)
def _sdk(modules: tuple[str, ...]) -> str:
    for module in modules:
        for package, sdk in _PACKAGES.items():
            if module == package or module.startswith(f"{package}."):
                return sdk
    return ""


def _instruments(module: ModuleType) -> bool:
    return any(at_work(kind) for name, kind in vars(module).items() if name.endswith("Instrumentor"))
