"""What an update brings: sources, and for each model what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from capability_router.catalog import prices
from capability_router.catalog.known import document
from capability_router.catalog.known.document import BESIDE, SCHEMA, STORED, CatalogSource
from capability_router.catalog.known.statement import ModelFacts, Statement, unsettled
from capability_router.catalog.updates.sources import formats
from capability_router.errors import ConfigError
from capability_router.nearest import nearest

Said = dict[str, list[Statement]]
"""Field -> statements."""


@dataclass(frozen=True, slots=True)
class CatalogUpdate:
    """The sources of an update by name, and provider -> model -> what they say of it."""

    sources: Mapping[str, CatalogSource]
    models: Mapping[str, Mapping[str, Said]]

    def __len__(self) -> int:
        return sum(map(len, self.models.values()))

    def of(self, providers: frozenset[str]) -> CatalogUpdate:
        """Only these providers' part of it."""
        return CatalogUpdate(self.sources, {name: said for name, said in self.models.items() if name in providers})


def offered(data: Any, origin: str, as_of: date, today: date) -> CatalogUpdate:
    """What this JSON states: a list of a known format, or a catalog of our own.

    A catalog of our own brings its own days; one in the future would hold for ever, so it is refused. Raises
    ConfigError for JSON that is neither, or has no model.
    """
    if isinstance(data, Mapping) and "schema" in data:
        return _own(data, origin, today)
    listing = formats.listing(data, origin, as_of.isoformat())
    source = CatalogSource(listing.source, "", listing.as_of, len(listing))
    models = {
        provider: {model: _said(listing.source, fields) for model, fields in rows.items() if fields}
        for provider, rows in listing.models.items()
    }
    return CatalogUpdate({source.name: source}, models)


def _said(source: str, fields: Mapping[str, Any]) -> Said:
    return {name: [Statement(source, value)] for name, value in fields.items()}


def _check(row: Mapping[str, Any], known: ModelFacts, owner: str) -> None:
    """Report to the author of the file what a look-up would ignore."""
    for name in row.keys() - known.fields.keys() - set(BESIDE):
        hint = f" can't be {row[name]!r:.60}" if name in STORED else f" is no field of a model{nearest(name, STORED)}"
        raise ConfigError(f"{owner}: {name}{hint}")
    prices.parse(known.fields.get("price"), owner)


def _own(data: Mapping[str, Any], origin: str, today: date) -> CatalogUpdate:
    doc = document.parsed(data, origin)
    late = [str(source) for source in doc.sources.values() if source.as_of > today.isoformat()]
    if late:
        raise ConfigError(f"{origin}: {', '.join(late)} is of a day in the future")
    book = doc.book()
    for provider, rows in book.items():
        for model, known in rows.items():
            _check(doc.models(provider)[model], known, f"{provider}:{model} in {origin}")
    models = {p: {m: unsettled(known) for m, known in rows.items()} for p, rows in book.items()}
    told = {statement.source for rows in models.values() for said in rows.values()
            for statements in said.values() for statement in statements if statement.source}  # fmt: skip
    if not told or told - doc.sources.keys():
        nameless = ", ".join(sorted(told - doc.sources.keys())) or "no field"
        raise ConfigError(f"{origin}: schema {SCHEMA}, but {nameless} has a source that it lists under `sources`")
    return CatalogUpdate(dict(doc.sources), models)
