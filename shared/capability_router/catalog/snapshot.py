"""The built-in catalog: what is publicly stated about known models, as of a date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lookup(provider: str, model: str) -> Mapping[str, Any] | None:
    """Card fields known of this model; None = not in the catalog."""
    return None
