"""Look-ups: what is publicly stated about a model, by the user's updated catalog or the built-in one.

The built-in catalog is made by scripts/build_catalog.py; the user's by `capability-router catalog update`. Both
are read at the first look-up, never at import and never over the network. A model that both know is taken
from the one that states it for the newer day; what the user's row leaves out stays as the built-in one says.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Set
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from capability_router.catalog.aliases import canonical, loose, spellings, undated
from capability_router.catalog.known import userfile
from capability_router.catalog.known.document import CatalogDocument, CatalogSource
from capability_router.catalog.known.statement import ModelFacts, is_resold
from capability_router.concurrency.latch import Latch
from capability_router.errors import ConfigError
from capability_router.money.price import Price

_REMEMBERED = 1_024
_READING = Latch()
_SIZES = ("context_window", "max_input_tokens", "max_output_tokens")
log = logging.getLogger("capability_router")


class CatalogMatch(NamedTuple):
    """A model in a catalog: under which name it is there, and what is known of it.

    `filled`: the fields that its row leaves out, known from the catalog `beneath`.
    """

    document: CatalogDocument
    provider: str
    model: str
    known: ModelFacts
    beneath: CatalogDocument | None = None
    filled: frozenset[str] = frozenset()

    def label(self, field: str) -> str:
        """The leading source of a field, with its day: 'litellm 1.110.2 (2026-11-20)'."""
        return self._teller(field).label(self.known, field)

    def source(self, field: str) -> str:
        """Where a field is from, as it is shown: 'catalog litellm 1.110.2 (2026-11-20)', with ', resold' if it is."""
        resold = ", resold" if is_resold(self.known.origins, field) else ""
        return f"catalog {self.label(field)}{resold}"

    def as_of(self, field: str) -> str:
        """The day for which a field was stated; '' when that is not known."""
        lead, sources = next(iter(self.known.sources(field)), ""), self._teller(field).sources
        return sources[lead].as_of if lead in sources else ""

    def _teller(self, field: str) -> CatalogDocument:
        return self.beneath if self.beneath is not None and field in self.filled else self.document

    def price(self) -> Price | None:
        """Its price with source and day; None = unknown. One that can't be read is told in the log and unknown."""
        stated = self.known.fields.get("price")
        if stated is None:
            return None
        source = self.label("price").rpartition(" (")[0]
        try:
            return Price.parse({**stated, "as_of": self.as_of("price") or None, "source": source})
        except (ConfigError, AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("the catalog's price of %s:%s can't be read (%s): unknown", self.provider, self.model, error)
            return None


@lru_cache(_REMEMBERED)
def find(provider: str, model: str) -> CatalogMatch | None:
    """The model in the catalogs; None = in none.

    Providers go by any of their names; a model also without its date, its region or '-latest', in other
    letter case, with '-' for '.'. Of two catalogs the closer name counts, then the newer day, then the user's.
    """
    name, found = canonical(provider), []
    for doc in documents() if provider and model else ():
        hit = next(_hits(doc, name, model), None)
        if hit is not None:
            known = doc.known(name, hit[1])
            found.append((hit[0], doc.day(known), CatalogMatch(doc, name, hit[1], known)))
    closest = [item for item in found if item[0] == min(rank for rank, _, _ in found)]
    best = max(closest, key=lambda item: item[1])[2] if closest else None
    return _completed(best, found[-1][2]) if best and best.document is not found[-1][2].document else best


def _completed(users: CatalogMatch, other: CatalogMatch) -> CatalogMatch:
    """The user's row with the fields that it leaves out from the built-in one: a price alone takes no window away.

    A row that states a window states all sizes: those of two catalogs need not fit together.
    """
    row, own, under = users.document.models(users.provider)[users.model], users.known, other.known
    stated = {*row, *own.doubts, *(_SIZES if any(name in row for name in _SIZES[:2]) else ())}
    lacks = (under.fields.keys() | under.doubts.keys()) - stated
    known = ModelFacts(
        {**own.fields, **_only(under.fields, lacks)},
        {**own.origins, **_only(under.origins, lacks)},
        {**own.doubts, **_only(under.doubts, lacks)},
        own.retires or under.retires,
    )
    return users._replace(known=known, beneath=other.document, filled=frozenset(lacks))


def _only(told: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name in names}


@lru_cache(_REMEMBERED)
def lookup(provider: str, model: str) -> Mapping[str, Any] | None:
    """Card fields known of this model (windows, capabilities, price); None = not in the catalog.

    A field that is missing is unknown.
    """
    found = find(provider, model)
    return None if found is None else MappingProxyType({**found.known.fields, "price": found.price()})


def _hits(doc: CatalogDocument, provider: str, model: str) -> Iterator[tuple[int, str]]:
    """Names in a catalog that may stand for this model, the surest first, each with how far it is from it."""
    models = doc.models(provider)
    for rank, name in enumerate(spellings(model)):
        if name in models:
            yield rank, name
    named = doc.alias(provider, model)
    if named is not None and named in models:
        yield 10, named
    if not model.startswith("ft:"):
        for rank, name in enumerate(spellings(model), 11):
            if alike := _loosely(doc, provider).get(loose(name)):
                yield rank, alike
    if model.endswith("-latest"):
        base = model.removesuffix("-latest")
        yield from ((20, name) for name in _dated(models, base))


@cache
def _loosely(doc: CatalogDocument, provider: str) -> dict[str, str | None]:
    """Names without letter case and dots -> the one name that is meant; None where there are several."""
    names: dict[str, str | None] = {}
    for name in doc.models(provider):
        names[loose(name)] = None if loose(name) in names else name
    return names


def _dated(models: Mapping[str, Any], base: str) -> list[str]:
    return sorted((n for n in models if n.startswith(f"{base}-") and undated(n, short=True) == base), reverse=True)


def documents() -> tuple[CatalogDocument, ...]:
    """The catalogs that are in use: the user's, when there is one that can be read, then the built-in one."""
    with _READING:  # so that a file that can't be read is told once, however many threads ask first
        return _documents()


@cache
def _documents() -> tuple[CatalogDocument, ...]:
    users = userfile.load()
    return (builtin(),) if users is None else (users, builtin())


@cache
def builtin() -> CatalogDocument:
    """The catalog that comes with the package; a provider's part is read when one of its models is asked for."""
    index = json.loads(_text("index"))
    sources = {name: CatalogSource(name, s.get("version", ""), s["as_of"], s.get("models", 0))
               for name, s in index["sources"].items()}  # fmt: skip
    counts = index["providers"]
    return CatalogDocument(
        index["as_of"], sources, tuple(counts), lambda name: json.loads(_text(name)) if name in counts else None
    )


def _text(name: str) -> str:
    from pkgutil import get_data  # like importlib.resources, which takes longer to import than the file to parse

    raw = get_data("capability_router.catalog", f"data/{name}.json")
    if raw is None:
        raise FileNotFoundError(f"the installed package has no catalog part {name!r}")
    return raw.decode("utf-8")


def forget() -> None:
    """Read the catalogs anew at the next look-up: after the user's file was changed."""
    for held in (find, lookup, _documents):
        held.cache_clear()


def providers() -> tuple[str, ...]:
    """Every provider of the catalogs in use."""
    return tuple(sorted({name for doc in documents() for name in doc.providers}))


def listed(provider: str) -> dict[str, CatalogMatch]:
    """A provider's models in the catalogs in use by name."""
    names = sorted({name for doc in documents() for name in doc.models(canonical(provider))})
    return {name: found for name in names if (found := find(provider, name)) is not None}
