"""The models that a router may use, in the order in which they were written.

Fields that a card leaves out are filled from, in order: the user's own words, what the model says of itself, the
catalog. A field that no source states stays unknown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from capability_router.address import fingerprint
from capability_router.catalog import prices
from capability_router.catalog.aliases import canonical
from capability_router.catalog.card import ModelCard, card_fields
from capability_router.catalog.entry import FORMS, Describe, Draft, Entry, ModelDescription, key_variable, keyed, read
from capability_router.catalog.known import snapshot
from capability_router.errors import ConfigError
from capability_router.nearest import nearest

__all__ = ["Entry", "ModelDescription", "Registry"]

_NOTHING: tuple[Any, ...] = (None, "", (), [], {})


class Registry:
    """Entries by id. Iterates over them in order; `cards` are their cards in the same order."""

    def __init__(self, models: Iterable[Any]) -> None:
        """`models`: Entries, or anything that `build` accepts without an adapter. Raises ConfigError."""
        given = _listed(models)
        entries: list[Entry] = given if all(isinstance(each, Entry) for each in given) else _entries(given)
        self.entries: dict[str, Entry] = {entry.card.id: entry for entry in entries}
        self.cards: tuple[ModelCard, ...] = tuple(entry.card for entry in self)
        self._names = _index(self.cards)

    @classmethod
    def build(cls, models: Iterable[Any], *, describe: Describe | None = None, api_key: str | None = None) -> Registry:
        """A registry of these models (each a model object, 'provider:model', a ModelCard, a pair or a mapping).

        `describe` is the adapter's hook, `api_key` the key of 'provider:model' entries, if it isn't their variable's.
        Raises ConfigError for no models, equal explicit ids, what
        is no entry, and impossible card values; each names the entry's position.
        """
        given = _listed(models)
        if not given:
            raise ConfigError(f"models is empty, so nothing can be routed to; give at least one entry: {FORMS}")
        return cls(_entries(given, describe, api_key))

    def entry(self, id: str) -> Entry:
        """The entry of this id; raises ConfigError when there is none."""
        try:
            return self.entries[id]
        except KeyError:
            raise ConfigError(f"no model has the id {id!r}; registered: {', '.join(self.entries)}") from None

    def resolve(self, name: str) -> str | None:
        """The id meant by an id, 'provider:model', 'provider/model' or an unambiguous model name; None = none.

        If several entries are the same 'provider:model', the first.
        """
        if name in self.entries:
            return name
        found = self.matches(name)
        qualified = ":" in name or "/" in name
        return found[0] if len(found) == 1 or (found and qualified) else None

    def matches(self, name: str) -> tuple[str, ...]:
        """Every id meant by this name, in order: what `deny`, budgets and `rules` apply to."""
        return self._names.get(name) or self._names.get(_plain(name)) or ()

    def named(self, name: str) -> tuple[str, ...]:
        """As `matches`; raises ConfigError, with the nearest id, for a name that means none."""
        found = self.matches(name)
        if not found:
            raise ConfigError(f"no model {name!r} is registered{nearest(name, self.entries)}")
        return found

    def marks(self, credential: str) -> tuple[str, ...]:
        """The marks of the entries' keys that are meant by a mark or by the variable that holds the key."""
        meant = (credential, fingerprint(os.environ.get(credential)))
        return tuple(mark for mark in meant if mark and any(e.address.credential == mark for e in self))

    def spellings(self, provider: str) -> tuple[str, ...]:
        """How the cards write a provider, given any of its names: 'gemini' may be 'google_genai' here."""
        meant = canonical(provider)
        return tuple(dict.fromkeys(c.provider for c in self.cards if c.provider and canonical(c.provider) == meant))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.resolve(name) is not None

    def __repr__(self) -> str:
        return f"<Registry {', '.join(self.entries)}>"


def _listed(models: Any) -> list[Any]:
    single = isinstance(models, (str, Mapping, ModelCard)) or hasattr(models, "model_fields_set")
    if single or not isinstance(models, Iterable):  # pydantic objects, such as chat models, are iterable too
        raise ConfigError(f"models must be a list, got a {type(models).__name__}; write models=[...]")
    return list(models)


def _entries(models: Sequence[Any], describe: Describe | None = None, api_key: str | None = None) -> list[Entry]:
    if api_key is not None and not isinstance(api_key, str):
        raise ConfigError(
            f"api_key must be a string, the key of 'provider:model' entries; got {type(api_key).__name__}"
        )
    drafts = [keyed(read(item, f"models[{i}]", describe), api_key) for i, item in enumerate(models)]
    return [_settled(draft, id) for draft, id in zip(drafts, _ids(drafts), strict=True)]


def _plain(name: str) -> str:
    """'google_genai/gemini' and 'google:gemini' as one key."""
    cut = min((at for at in (name.find(":"), name.find("/")) if at > 0), default=-1)
    return name if cut < 0 else f"{canonical(name[:cut])}:{name[cut + 1 :]}"


def _index(cards: Sequence[ModelCard]) -> dict[str, tuple[str, ...]]:
    """Every name of a card -> the ids that it means. A true id means only itself."""
    names: dict[str, list[str]] = {}
    for card in cards:
        keys = {card.model, _plain(f"{card.provider}:{card.model}") if card.provider and card.model else ""}
        for key in keys - {""}:
            names.setdefault(key, []).append(card.id)
    return {**{key: tuple(ids) for key, ids in names.items()}, **{card.id: (card.id,) for card in cards}}


def _ids(drafts: Sequence[Draft]) -> list[str]:
    """Explicit ids as they are; derived ones made distinct by '#2', '#3', ... around them."""
    taken: dict[str, str] = {}
    for draft in drafts:
        if draft.id and draft.id in taken:
            raise ConfigError(f"{taken[draft.id]} and {draft.where} both have the id {draft.id!r}; change one")
        if draft.id:
            taken[draft.id] = draft.where
    return [draft.id or _free(draft, taken) for draft in drafts]


def _free(draft: Draft, taken: dict[str, str]) -> str:
    name, number = draft.derived_id, 1
    while (id := name if number == 1 else f"{name}#{number}") in taken:
        number += 1
    taken[id] = draft.where
    return id


def _settled(draft: Draft, id: str) -> Entry:
    """The entry, with its card filled from all sources."""
    fields, sources = _overlaid(draft)
    try:
        card_fields(fields, id)
        fields["price"] = prices.parse(fields.get("price"), id)
        card = ModelCard(**{**fields, "id": id})
    except ConfigError as error:
        raise ConfigError(f"{draft.where}: {error}") from None
    address = draft.address if draft.address.model else draft.address._replace(model=draft.model or id)
    if not address.base_url:  # its address is unknown, so its health says nothing about any other model
        address = address._replace(base_url=f"object:{id}")
    by_protocol = draft.source is None or isinstance(draft.source, str)  # the built-in or a provider's own client
    gives_reason = by_protocol or draft.gives_reason
    return Entry(card, draft.source, address, gives_reason, sources, key_variable(draft))


def _overlaid(draft: Draft) -> tuple[dict[str, Any], dict[str, str]]:
    """The card's fields, each from the first source that states it, and field -> source."""
    fields: dict[str, Any] = {"provider": draft.provider, "model": draft.model}
    sources: dict[str, str] = {}
    catalog = snapshot.lookup(draft.provider, draft.model) or {}
    for origin, said in (("user", draft.stated), ("profile", _accepted(draft.told, catalog)), ("catalog", catalog)):
        for name, value in said.items():
            if value is not None and fields.get(name) in _NOTHING:
                fields[name], sources[name] = value, origin
    return fields, {name: _source(draft, name, origin) for name, origin in sources.items()}


def _source(draft: Draft, field: str, origin: str) -> str:
    """'user', 'profile', or the catalog's own source: 'catalog litellm 1.110.2 (2026-11-20)'."""
    found = snapshot.find(draft.provider, draft.model) if origin == "catalog" else None
    return origin if found is None else found.source(field)


def _accepted(told: Mapping[str, Any], catalog: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the model says, except an input limit that is larger than the catalog's.

    LangChain's profiles give the total window as `max_input_tokens` for some models.
    """
    own, known = told.get("max_input_tokens"), catalog.get("max_input_tokens")
    told_too_large = own and known and known < own
    return {name: v for name, v in told.items() if name != "max_input_tokens"} if told_too_large else told
