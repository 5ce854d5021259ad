"""Settings: router.yaml, a mapping or keywords, checked and frozen.

This module loads pydantic, tenacity and PyYAML; the router imports it when it is first built.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from capability_router.catalog.card import ModelCard
from capability_router.catalog.registry import Registry
from capability_router.errors import ConfigError
from capability_router.settings.screen import expanded_screen
from capability_router.settings.settings import Settings
from capability_router.settings.source import read

__all__ = ["SILENT", "Settings", "load"]

SILENT: Mapping[str, Any] = MappingProxyType({"jsonl": None, "log": False, "otel": False, "hashed_words": False})
"""As `telemetry`, for a configuration that is only inspected: nothing is written, and no extra is needed for it."""


def load(
    source: str | Path | Mapping[str, Any], *, environ: Mapping[str, str] | None = None, **overrides: Any
) -> Settings:  # fmt: skip
    """Settings from a router.yaml or a mapping; keywords override it, block by block; None = not given.

    `${NAME}` and `${NAME:-default}` in texts are replaced by environment variables (or by `environ`). Raises
    ConfigError for a missing file, broken YAML, an unknown key, an impossible value, a variable that is not set.
    """
    named, written = read(source, environ)
    settings = Settings.from_words(_overlaid(written, overrides), named)
    if all(isinstance(model, (str, Mapping, ModelCard)) for model in settings.models):
        settings = settings.reviewed(_registry(settings.models, named))
    return settings


def _registry(models: tuple[Any, ...], named: str) -> Registry:
    try:
        return Registry.build(models)
    except ConfigError as error:
        raise ConfigError(f"{named}: {error}" if named else str(error)) from None


def _overlaid(written: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(written)
    for name, value in overrides.items():
        if value is not None:
            below, above = _long(name, laid.get(name)), _long(name, value)
            both = isinstance(below, Mapping) and isinstance(above, Mapping)
            laid[name] = {**below, **above} if both else above
    return laid


def _long(name: str, value: Any) -> Any:
    if name == "screen" and value is not None:
        return expanded_screen(value)
    return {"name": value} if name in ("policy", "shadow") and isinstance(value, str) else value
