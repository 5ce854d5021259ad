"""Detects providers' SDKs whose calls already get spans, from an instrumentor or from the SDK itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType
from typing import Any

from capability_router.telemetry.otel.instrumentors import at_work

_SDKS = ("openai", "anthropic", "google_genai", "groq", "ollama")
_MAKERS = (
    "openinference.instrumentation.{}", "opentelemetry.instrumentation.{}", "opentelemetry.instrumentation.{}_v2",
    "opentelemetry.instrumentation.genai.{}",
)  # fmt: skip
"""The modules of an SDK's instrumentors: OpenInference's, Traceloop's, OpenTelemetry's own until 2026 and since."""
_PLACES = tuple((maker.format(sdk), sdk) for sdk in _SDKS for maker in _MAKERS)
_BY_ITSELF = {"anthropic": ("anthropic._tracing", "ANTHROPIC_OPEN_TELEMETRY")}
"""SDKs that make spans themselves -> the module that does, and the environment variable that switches it off."""
_CLIENTS = ("_client", "_async_client", "_aclient")
_NONE: frozenset[str] = frozenset()
_PACKAGES = {f"{package}{sdk}": sdk for sdk in _SDKS for package in ("langchain_", "llama_index.llms.")}
"""The frameworks' packages that use an SDK. Classes of other packages derive from theirs, as OpenAILike does."""


def sdk_traced_models(models: Iterable[tuple[str, object]]) -> frozenset[str]:
    """The ids of the models, given as (id, model), whose calls already get spans."""
    loaded = [(sdk, sys.modules[place]) for place, sdk in _PLACES if place in sys.modules]
    seen = {sdk for sdk, module in loaded if _instruments(module)}
    telling = {
        sdk: os.environ.get(off, "").lower() != "false" for sdk, (at, off) in _BY_ITSELF.items() if at in sys.modules
    }
    if not seen and not telling:
        return _NONE
    asked = [(id, model, sdk_of(model)) for id, model in models]
    return frozenset(id for id, model, sdk in asked if sdk in seen or (sdk in telling and _tells(model, telling[sdk])))


def sdk_of(model: object) -> str:
    """The SDK that a framework's model uses; "" = no known one."""
    kind: Any = type(model)
    return _sdk(kind)


@lru_cache(maxsize=256)
def _sdk(kind: type) -> str:
    for module in (each.__module__ for each in kind.__mro__):
        for package, sdk in _PACKAGES.items():
            if module == package or module.startswith(f"{package}."):
                return sdk
    return ""


def _instruments(module: ModuleType) -> bool:
    return any(at_work(kind) for name, kind in vars(module).items() if name.endswith("Instrumentor"))


def _tells(model: object, by_default: bool) -> bool:
    """Whether this model's client makes spans. `by_default`: the answer if the client does not exist yet."""
    for kept in (vars(model), getattr(model, "__pydantic_private__", None) or {}):
        for name in _CLIENTS:
            if (client := kept.get(name)) is not None:
                return getattr(client, "_tracer", None) is not None
    return by_default
