"""A one-way mark of a model's settings: equal in every process for equal settings, and made of nothing secret.

Caches tell routers apart by it. It is a hash, so a dump with it shows no system prompt.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from capability_router.address import fingerprint, shown
from capability_router.catalog.registry import Registry
from llamaindex_router.fleet.secret_names import SECRET

_LISTENERS = ("callback_manager", "callbacks", "cache", "rate_limiter")
"""Fields that change no answer."""


def mark_of(model: Any) -> str:
    """The mark of a model of either framework: of its class and fields, without keys, headers and parts of URLs."""
    return fingerprint(json.dumps(_plain(model), sort_keys=True))


def _plain(value: Any) -> Any:
    """The value made of JSON's types. Of an object that is no pydantic model only the class counts."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _text(value.value if isinstance(value, Enum) else value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items() if not SECRET.search(str(name))}
    if isinstance(value, BaseModel):
        return _of_fields(value)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, Collection) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, (Decimal, Enum)) else _name(value)


def _of_fields(model: BaseModel) -> list[Any]:
    held = {name: model.__dict__.get(name) for name in type(model).model_fields if name not in _LISTENERS}
    registry = getattr(getattr(model, "router", None), "registry", None)  # of a router that is a model here
    beneath = [_plain(entry.source) for entry in registry] if isinstance(registry, Registry) else []
    return [_name(type(model)), _plain(held), beneath]


def _text(text: str) -> str:
    """The text; of a URL what anyone may read."""
    return shown(text) if "://" in text and not any(map(str.isspace, text)) else text


def _name(value: Any) -> str:
    """The name of a class or function; that of its class for any other object."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
