"""The built-in catalog: what is publicly stated about known models, as of a day.

Built by scripts/build_catalog.py; read at the first look-up, never at import and never over the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from capability_router.catalog.aliases import canonical, spellings
from capability_router.money.price import Price

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
_REMEMBERED = 1_024


class Provenance(NamedTuple):
    """The day on which the snapshot was taken (YYYY-MM-DD), and from which packages: name -> version."""

    as_of: str
    sources: Mapping[str, str]
    models: int


@lru_cache(_REMEMBERED)
def lookup(provider: str, model: str) -> Mapping[str, Any] | None:
    """Card fields known of this model (windows, capabilities, price); None = not in the catalog.

    Providers go by any of their names; a model also without its date, its region, or '-latest'. A
    field that is missing is unknown.
    """
    models = _read()["models"].get(canonical(provider), {}) if provider and model else {}
    found = next((models[name] for name in spellings(model) if name in models), None)
    if found is None and model.endswith("-latest"):
        found = _newest(models, model.removesuffix("-latest"))
    return None if found is None else MappingProxyType({**found, "price": _price(found.get("price"))})


def provenance() -> Provenance:
    """Where the snapshot is from, and how old it is."""
    read = _read()
    return Provenance(read["as_of"], MappingProxyType(read["sources"]), sum(map(len, read["models"].values())))


@cache
def _read() -> dict[str, Any]:
    from importlib import resources  # takes longer to import than the file to parse

    text = resources.files("capability_router.catalog").joinpath("data", "models.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def _newest(models: Mapping[str, Any], base: str) -> Any:
    dated = [name for name in models if name.startswith(f"{base}-") and _DATED.sub("", name) == base]
    return models[max(dated)] if dated else None


def _price(stated: Mapping[str, Any] | None) -> Price | None:
    if stated is None:
        return None
    read = _read()
    return Price.parse({**stated, "as_of": read["as_of"], "source": f"litellm {read['sources'].get('litellm', '')}"})
