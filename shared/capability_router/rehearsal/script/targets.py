"""Whom a fault is about: a provider, a model, a key or a tag, as the models that it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from capability_router.catalog.aliases import canonical
from capability_router.catalog.registry import Registry
from capability_router.errors import ConfigError
from capability_router.nearest import nearest

_EVERYBODY = ("", "*", "all")
_SORTS = ("provider", "model", "key", "tag")


class FaultTargets:
    """The names of a registry's providers, models, keys and tags, and the models that each stands for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        entries = list(registry)
        self.models: tuple[str, ...] = tuple(registry.entries)
        self.providers = _grouped((e.card.provider, e.card.id) for e in entries)
        self.keys = _grouped((name, e.card.id) for e in entries for name in (e.key_variable, e.address.credential))
        self.tags = _grouped((tag, e.card.id) for e in entries for tag in e.card.tags)

    def meant(self, target: str) -> tuple[str, ...]:
        """The models' ids; ConfigError lists what there is."""
        if target in _EVERYBODY:
            return self.models
        sort, colon, name = target.partition(":")
        sort = {"credential": "key"}.get(sort, sort)
        named = sort in _SORTS and bool(colon)
        found = self._of(sort, name) if named else self._any(target)
        if not found:
            raise ConfigError(self._unknown(sort, name) if named else self._unknown("", target))
        return found

    def provider_of(self, model: str) -> str:
        """How its provider is written here; the model itself if it is not stated."""
        return self._registry.entry(model).card.provider or model

    def key_of(self, model: str) -> str:
        """Under which name its key can be aimed at; the model itself if it has none."""
        entry = self._registry.entry(model)
        return f"key:{key}" if (key := entry.key_variable or entry.address.credential) else model

    def _any(self, target: str) -> tuple[str, ...]:
        if target in self.models:
            return (target,)
        ways = (self._provider, self._registry.matches, self._key, self._tag)
        return next((tuple(found) for way in ways if (found := way(target))), ())

    def _of(self, sort: str, name: str) -> tuple[str, ...]:
        ways: dict[str, Callable[[str], Sequence[str]]] = {
            "provider": self._provider, "model": self._registry.matches, "key": self._key, "tag": self._tag,
        }  # fmt: skip
        return tuple(ways[sort](name))

    def _provider(self, name: str) -> Sequence[str]:
        meant = canonical(name)
        return [id for own, ids in self.providers.items() if canonical(own) == meant for id in ids]

    def _key(self, name: str) -> Sequence[str]:
        return self.keys.get(name, ())

    def _tag(self, name: str) -> Sequence[str]:
        return self.tags.get(name, ())

    def _unknown(self, sort: str, name: str) -> str:
        own = {"provider": self.providers, "model": self.models, "key": self.keys, "tag": self.tags}
        words = [word for kind, names in own.items() if sort in ("", kind) for word in names]
        there = [f"{kind}s: {', '.join(names)}" for kind, names in own.items() if names and sort in ("", kind)]
        near = nearest(name, words, "")
        said = f"; there are {'; '.join(there)}" if there else f"; this configuration has no {sort}s"
        times = "; a time behind @ or + has a unit: 500ms, 30s, 2m, 1h, 25%" if {*"@+"} & {*name} else ""
        return f"faults: no {sort or 'provider, model, key or tag'} {name!r}{near}{said}{times}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, id in pairs:
        if name and id not in found.setdefault(name, []):
            found[name].append(id)
    return found
