"""A catalog as it is stored: sources with their days, and per provider the models with what is known of each.

    {"schema": 2, "as_of": day, "sources": {name: {"version", "as_of", "models"}},
     "providers": {provider: {"origins": {field: sources}, "aliases": {name: model}, "models": {model: row}}}}

A row holds the fields of a card, and beside them `origins`, `doubts` and `retires`.

A model's own `origins` are only those that differ from its provider's. The built-in catalog has the same
parts in a file per provider, so that a look-up parses one of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from capability_router.catalog.aliases import canonical
from capability_router.catalog.card import FLAGS
from capability_router.catalog.known.statement import RESOLD, ModelFacts
from capability_router.errors import ConfigError
from capability_router.money.price import AMOUNTS

SCHEMA = 2
_TOKENS = ("context_window", "max_input_tokens", "max_output_tokens")
STORED = (*_TOKENS, *FLAGS, "reasoning_effort_levels", "price")
"""The fields of a card that a catalog holds."""
BESIDE = ("origins", "doubts", "retires")
"""What stands beside them in a row."""
_NESTED = 2  # a service's price has tiers; a file that goes on deeper must not exhaust the stack
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
Book = dict[str, dict[str, ModelFacts]]
"""Provider -> model -> what is known of it."""


class CatalogSource(NamedTuple):
    """Where statements are from. `as_of`: the day for which they hold; `models`: how many it stated."""

    name: str
    version: str
    as_of: str
    models: int = 0

    def __str__(self) -> str:
        """'litellm 1.110.2 (2026-11-20)'."""
        return f"{' '.join(filter(None, (self.name, self.version)))} ({self.as_of})"

    def to_dict(self) -> dict[str, Any]:
        """As it is stored."""
        return {name: value for name, value in self._asdict().items() if name != "name" and value}


@dataclass(frozen=True, eq=False)
class CatalogDocument:
    """One catalog. `load` gives a provider's stored part, or None; each is read at its first use."""

    as_of: str
    sources: Mapping[str, CatalogSource]
    providers: tuple[str, ...]
    load: Callable[[str], Mapping[str, Any] | None] = field(repr=False)
    parts: dict[str, Mapping[str, Any] | None] = field(default_factory=dict, repr=False, compare=False)

    def models(self, provider: str) -> Mapping[str, Any]:
        """The stored models of a provider by name."""
        if provider not in self.parts:
            self.parts[provider] = self.load(provider)
        part = self.parts[provider]
        return part["models"] if part else {}

    def alias(self, provider: str, name: str) -> str | None:
        """The stored name of a model that its provider also answers to under this one."""
        self.models(provider)
        stated: str | None = (self.parts[provider] or {}).get("aliases", {}).get(name)
        return stated

    def known(self, provider: str, model: str) -> ModelFacts:
        """What is known of a model that is in `models(provider)`.

        A field that no card has, or of a wrong kind, is left out: a later version may have written the file.
        """
        said = self.models(provider)[model]
        part = self.parts[provider] or {}
        fields = {name: value for name, value in said.items() if _holds(name, value)}
        own = {**part.get("origins", {}), **said.get("origins", {})}
        only = next(iter(self.sources), "") if len(self.sources) == 1 else ""  # it need not be written at each field
        origins = {name: origin for name in fields if (origin := own.get(name, only))}
        return ModelFacts(fields, origins, said.get("doubts", {}), said.get("retires", ""))

    def book(self) -> Book:
        """All of it."""
        return {p: {model: self.known(p, model) for model in self.models(p)} for p in self.providers}

    def day(self, known: ModelFacts) -> str:
        """The newest day for which something of it was stated; '' for nothing."""
        named = {name for field_ in known.fields for name in known.sources(field_)}
        return max((self.sources[name].as_of for name in named if name in self.sources), default="")

    def label(self, known: ModelFacts, name: str) -> str:
        """The leading source of a field, with its day: 'litellm 1.110.2 (2026-11-20)'."""
        lead = next(iter(known.sources(name)), "")
        return str(self.sources.get(lead, lead)) or "unknown"


def _holds(name: str, value: Any) -> bool:
    if name in FLAGS:
        return isinstance(value, bool)
    if name in _TOKENS:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if name == "reasoning_effort_levels":
        return isinstance(value, list) and all(isinstance(word, str) for word in value)
    return name == "price" and _is_price(value)


def _is_price(value: Any, within: int = _NESTED) -> bool:
    if not isinstance(value, Mapping) or within < 0:
        return False
    tiers, services = value.get("tiers", []), value.get("services", {})
    return (
        all(_is_number(value.get(name, 0)) for name in AMOUNTS)
        and isinstance(tiers, list)
        and all(_is_tier(tier, within - 1) for tier in tiers)
        and isinstance(services, Mapping)
        and all(_is_price(price, within - 1) for price in services.values())
    )


def _is_tier(value: Any, within: int) -> bool:
    return isinstance(value, Mapping) and _is_number(value.get("above")) and _is_price(value.get("price"), within)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def parsed(data: Any, origin: str) -> CatalogDocument:
    """The catalog in this JSON; raises ConfigError, naming `origin`, for what is none."""
    try:
        return _parsed(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{origin}: no catalog of schema {SCHEMA}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _parsed(data: Any) -> CatalogDocument:
    if not isinstance(data, Mapping):
        raise ValueError(f"a {type(data).__name__} instead of a mapping")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {data.get('schema')!r}")
    sources = {name: CatalogSource(name, said.get("version", ""), _day(said["as_of"]), said.get("models", 0))
               for name, said in data["sources"].items()}  # fmt: skip
    parts: dict[str, Any] = {}
    for name, part in data["providers"].items():
        _check(part)
        if parts.setdefault(canonical(name), part) is not part:
            raise ValueError(f"provider {canonical(name)!r} is there more than once, also as {name!r}")
    return CatalogDocument(_day(data["as_of"]), sources, tuple(parts), parts.get)


def _day(value: Any) -> str:
    if not isinstance(value, str) or not _DAY.match(value):
        raise ValueError(f"a day is written 2026-11-25, got {value!r}")
    return value


def _check(part: Any) -> None:
    if not isinstance(part, Mapping) or not isinstance(part.get("models"), Mapping):
        raise ValueError("a provider has `models`, a mapping of their names to rows")
    for beside in ("origins", "aliases"):
        named = part.get(beside, {})
        if not isinstance(named, Mapping) or not all(isinstance(text, str) for text in named.values()):
            raise ValueError(f"{beside} of a provider are a mapping of texts")
    for name, said in part["models"].items():
        if not isinstance(said, Mapping):
            raise ValueError(f"model {name!r} is a {type(said).__name__} instead of a mapping")
        origins, doubts = said.get("origins", {}), said.get("doubts", {})
        nested = (*doubts.values(),) if isinstance(doubts, Mapping) else (None,)
        fits = all(isinstance(part, Mapping) for part in (origins, *nested))
        if not fits or not all(map(_is_price, doubts.get("price", {}).values())):
            raise ValueError(f"model {name!r}: origins and doubts are mappings, and so is what doubts hold of a field")
        if not all(isinstance(text, str) for text in (*origins.values(), said.get("retires", ""))):
            raise ValueError(f"model {name!r}: origins and retires are texts")


def stored(models: Mapping[str, ModelFacts]) -> dict[str, Any]:
    """A provider's part as it is stored."""
    counts: dict[str, Counter[str]] = {}
    for known in models.values():
        for name, origin in known.origins.items():
            if origin.startswith(RESOLD):
                continue  # it is said at each model, so that it is never taken for the maker's own
            counts.setdefault(name, Counter())[origin] += 1
    usual = {name: max(sorted(seen), key=seen.__getitem__) for name, seen in sorted(counts.items())}
    return {"origins": usual, "models": {name: _row(known, usual) for name, known in sorted(models.items())}}


def _row(known: ModelFacts, usual: Mapping[str, str]) -> dict[str, Any]:
    own = {name: origin for name, origin in known.origins.items() if usual.get(name) != origin}
    beside = {"origins": own, "doubts": dict(known.doubts), "retires": known.retires}
    return {**known.fields, **{name: value for name, value in beside.items() if value}}


def head(as_of: str, sources: Iterable[CatalogSource]) -> dict[str, Any]:
    """What stands before the providers."""
    return {"schema": SCHEMA, "as_of": as_of, "sources": {s.name: s.to_dict() for s in sorted(sources)}}


def lines(part: Mapping[str, Any]) -> Iterator[str]:
    """A provider's part as JSON with one model per line, so that an update reads as a diff."""
    beside = {name: part[name] for name in ("origins", "aliases") if part.get(name)}
    yield json.dumps(beside, sort_keys=True)[:-1] + (', "models": {' if beside else '"models": {')
    rows = [
        f"{json.dumps(name)}: {json.dumps(row, sort_keys=True, separators=(',', ':'))}"
        for name, row in part["models"].items()
    ]
    yield ",\n".join(rows)
    yield "}}"


def text(as_of: str, sources: Iterable[CatalogSource], book: Book) -> str:
    """A whole catalog as one JSON text, one model per line."""
    parts = [f"{json.dumps(provider)}: " + "\n".join(lines(stored(book[provider]))) for provider in sorted(book)]
    return json.dumps(head(as_of, sources))[:-1] + ', "providers": {\n' + ",\n".join(parts) + "\n}}\n"
