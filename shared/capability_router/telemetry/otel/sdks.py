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
_PACKAGES = {f"{package}{sdk}": sdk for sdk in _SDKS for package in ("langchain_", "llama_index.llms.")}
"""The frameworks' packages that call through an SDK; others' classes come from one of theirs, as OpenAILike does."""


def seen_by_sdks(models: Iterable[tuple[str, object]]) -> frozenset[str]:
    """The ids of those models, (id, model), whose calls an instrumentor of their SDK makes spans of at this moment."""
    seen = frozenset(sdk for sdk in _SDKS if any(map(_instruments, _modules(sdk))))
    return frozenset(id for id, model in models if sdk_of(model) in seen) if seen else frozenset()


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


def _modules(sdk: str) -> Iterable[ModuleType]:
    found = (sys.modules.get(maker.format(sdk)) for maker in _MAKERS)
    return [module for module in found if module is not None]


def _instruments(module: ModuleType) -> bool:
    return any(at_work(kind) for name, kind in vars(module).items() if name.endswith("Instrumentor"))
