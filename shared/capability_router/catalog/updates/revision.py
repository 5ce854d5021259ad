"""A user's catalog brought up to date: what an update says, settled with what was known before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from capability_router.catalog.aliases import spellings
from capability_router.catalog.known.document import Book, CatalogDocument, CatalogSource
from capability_router.catalog.known.statement import ModelFacts, Statement, is_copy, is_resold, settle, unsettled
from capability_router.catalog.updates.catalog_update import CatalogUpdate, Said
from capability_router.errors import ConfigError

_FEW = 4  # from so few on a list may shrink as it likes
_NOTHING = ModelFacts({})


class ModelChange(NamedTuple):
    """What an update changes of one model. `fields`: field -> (before, after); None = unknown.

    `kind`: 'added', 'changed', or 'unlisted': the source no longer names it; what others say of it stays.
    """

    provider: str
    model: str
    kind: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Revision:
    """The user's catalog after an update, and what it changes.

    `told`: by which source; `confirmed`: how many models are stated as they were.
    """

    told: tuple[CatalogSource, ...]
    sources: Mapping[str, CatalogSource]
    book: Book
    changes: tuple[ModelChange, ...]
    confirmed: int


def revised(offer: CatalogUpdate, old: CatalogDocument | None, builtin: CatalogDocument) -> Revision:
    """What the user's catalog becomes: every model that the offer names, and those of earlier updates.

    A source that speaks again replaces what it said before. Others that differ stay as doubts.
    """
    docs = [doc for doc in (old, builtin) if doc is not None]
    sources = _sources(offer, docs)
    book: Book = {}
    changes: list[ModelChange] = []
    confirmed = 0
    for provider, models in offer.models.items():
        for model, said in models.items():
            before = _newest(docs, provider, model)
            base = before or _plain(docs, provider, model)
            after = settle(_heard(said, base, offer, sources))
            if before is None and (is_copy(models, model) or after.fields == base.fields):
                continue
            book.setdefault(provider, {})[model] = after
            change = _change(provider, model, before, after)
            changes += [change] if change else []
            confirmed += change is None
    changes += _unlisted(offer, docs)
    _keep(book, offer, old, builtin)
    told = tuple(offer.sources.values())
    return Revision(told, _used(sources, book), book, tuple(sorted(changes, key=lambda c: c[:3])), confirmed)


def check_size(offer: CatalogUpdate, old: CatalogDocument | None, builtin: CatalogDocument | None = None) -> None:
    """Raises ConfigError when a source names fewer than half of the models that it named at the last update.

    At a first one: than in the built-in catalog, where that is given.
    """
    for name, source in offer.sources.items():
        known = (
            (doc, when) for doc, when in ((old, "at the last update"), (builtin, "in the built-in catalog")) if doc
        )
        before, when = next(((doc.sources[name].models, when) for doc, when in known if name in doc.sources), (0, ""))
        if before >= _FEW and source.models * 2 < before:
            raise ConfigError(
                f"{name} names {source.models:,} models, {when} {before:,}: this looks like a part of the "
                "list. The old file is kept; --allow-shrink takes it all the same"
            )


def _sources(offer: CatalogUpdate, docs: list[CatalogDocument]) -> dict[str, CatalogSource]:
    """Every source by name. Where two catalogs know it, the older day: it never looks fresher than it is."""
    known: dict[str, CatalogSource] = {}
    for doc in docs:
        for name, source in doc.sources.items():
            known[name] = min(source, known.get(name, source), key=lambda s: s.as_of)
    return {**known, **offer.sources}


def _newest(docs: list[CatalogDocument], provider: str, model: str) -> ModelFacts | None:
    stated = [(doc.day(known), known) for doc in docs
              if model in doc.models(provider) and (known := doc.known(provider, model)).fields]  # fmt: skip
    return max(stated, key=lambda item: item[0])[1] if stated else None


def _plain(docs: list[CatalogDocument], provider: str, model: str) -> ModelFacts:
    """What is known of the same model without its date or region, but for the day on which it is switched off."""
    named = (name for name in spellings(model) if not name.endswith("-latest"))
    found = next((known for name in named if (known := _newest(docs, provider, name))), _NOTHING)
    return replace(found, retires="")


def _heard(said: Said, before: ModelFacts, offer: CatalogUpdate, sources: Mapping[str, CatalogSource]) -> Said:
    """All statements, those of the newest day first; what the offer's sources said before is gone."""
    heard = {name: list(statements) for name, statements in said.items()}
    for name, statements in unsettled(before).items():
        if name != "retires" or name not in heard:
            heard.setdefault(name, []).extend(s for s in statements if s.source not in offer.sources)
    return {name: sorted(all_, key=lambda s: _age(s, sources), reverse=True) for name, all_ in heard.items() if all_}


def _age(statement: Statement, sources: Mapping[str, CatalogSource]) -> str:
    return sources[statement.source].as_of if statement.source in sources else ""


def _change(provider: str, model: str, before: ModelFacts | None, after: ModelFacts) -> ModelChange | None:
    if before is None:
        return ModelChange(provider, model, "added", {name: (None, value) for name, value in _flat(after).items()})
    new, silent = (
        _flat(after),
        {name for name in before.fields if is_resold(before.origins, name)} - after.fields.keys(),
    )
    old = {name: value for name, value in _flat(before).items() if name not in silent}  # what stays in the built-in one
    fields = {n: (old.get(n), new.get(n)) for n in sorted({*old, *new}) if old.get(n) != new.get(n)}
    return ModelChange(provider, model, "changed", fields) if fields else None


def _flat(known: ModelFacts) -> dict[str, Any]:
    """The fields, a price by its parts."""
    flat = {name: value for name, value in known.fields.items() if name != "price"}
    flat |= {f"price.{name}": value for name, value in known.fields.get("price", {}).items()}
    return flat | ({"retires": known.retires} if known.retires else {})


def _unlisted(offer: CatalogUpdate, docs: list[CatalogDocument]) -> Iterator[ModelChange]:
    """Models that the offer's sources named before, of providers that they still name."""
    seen: set[tuple[str, str]] = set()
    for doc in docs:
        for provider, models in offer.models.items():
            for model in doc.models(provider).keys() - models.keys():
                known = doc.known(provider, model)
                own = [field for field in known.fields if not is_resold(known.origins, field)]
                told = any(name in known.sources(field) for field in own for name in offer.sources)
                if told and (provider, model) not in seen:
                    seen.add((provider, model))
                    yield ModelChange(provider, model, "unlisted", {})


def _keep(book: Book, offer: CatalogUpdate, old: CatalogDocument | None, builtin: CatalogDocument) -> None:
    """Of earlier updates, what sources say that neither spoke now nor are in the built-in catalog."""
    for provider in old.providers if old else ():
        for model in (old.models(provider).keys() if old else set()) - book.get(provider, {}).keys():
            known = old.known(provider, model) if old else _NOTHING
            said = {name: [s for s in statements if s.source not in offer.sources]
                    for name, statements in unsettled(known).items()}  # fmt: skip
            if {s.source for statements in said.values() for s in statements} - builtin.sources.keys() - {""}:
                book.setdefault(provider, {})[model] = settle(said)


def _used(sources: Mapping[str, CatalogSource], book: Book) -> dict[str, CatalogSource]:
    """The sources that are named in the book."""
    named = {name for models in book.values() for known in models.values() for origin in known.origins
             for name in known.sources(origin)}  # fmt: skip
    named |= {
        name for models in book.values() for known in models.values() for d in known.doubts.values() for name in d
    }
    return {name: source for name, source in sources.items() if name in named}
