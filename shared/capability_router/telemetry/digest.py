"""Short hashes of models and settings, to see whether two decisions were made with the same ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any

_SECRET = ("headers", "api_key")  # by which accounts, not models, differ


def digest(value: object) -> str:
    """12 hexadecimal digits, the same for equal values in every process; headers and keys are left out."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items() if key not in _SECRET}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else value
