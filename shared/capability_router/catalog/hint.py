"""Suggests what may be meant by a name that the catalog does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from capability_router.catalog.aliases import KEY_VARIABLES, OTHER_NAMES, canonical, loose
from capability_router.catalog.known import snapshot

_LIKENESS = 0.75  # misspelt names reach 0.8 and more, invented ones up to 0.67 (tests/unit/catalog/test_hint.py)
_LONGEST = 120  # a name that is longer is none
_NAMED = 3


def hint(name: str) -> str:
    """'; did you mean 'openai:gpt-5-mini'?', or which provider has it; '' if nothing is similar.

    `name`: 'provider:model', 'provider/model', a model or a provider. To be appended to an error.
    """
    if len(name) > _LONGEST:
        return ""
    provider, model = _parts(name)
    near = "" if _is_known(provider) else canonical(_provider(provider))
    meant = f"{near}:{model}" if near and snapshot.find(near, model) else ""
    others = list(_owners(model)) if provider and not meant else []
    if others:
        have = "has" if len(others) == 1 else "have"
        return f"; {' and '.join(others[:_NAMED])} {have} it: {f'{others[0]}:{model}'!r}"
    meant = meant or _meant(near or provider, model)
    return f"; did you mean {meant!r}?" if meant else ""


def _parts(name: str) -> tuple[str, str]:
    """Provider and model; '' for a provider that is not written: a '/' may be part of a model's own name."""
    provider, colon, model = name.partition(":")
    if not colon:
        provider, _, model = name.partition("/")
        colon = model if _is_known(provider) else ""
    return (provider.strip(), model.strip()) if colon else ("", name.strip())


def _is_known(provider: str) -> bool:
    return canonical(provider) in snapshot.providers()


def _best_known_first() -> list[str]:
    known = list(KEY_VARIABLES)
    return sorted(snapshot.providers(), key=lambda name: known.index(name) if name in known else len(known))


def _owners(model: str) -> Iterator[str]:
    """The providers that have a model of this name."""
    return (provider for provider in _best_known_first() if snapshot.find(provider, model))


def _meant(provider: str, model: str) -> str:
    """The most similar name; '' if there is none."""
    if provider:
        return _most_like(model, _models([canonical(provider)])) if _is_known(provider) else ""
    return _most_like(model, {**_models(_best_known_first()), **{name: name for name in _provider_names()}})


def _models(providers: Iterable[str]) -> dict[str, str]:
    """Model without spelling differences -> the first provider that has it, and its name there."""
    names: dict[str, str] = {}
    for provider in providers:
        for name in snapshot.listed(provider):
            names.setdefault(loose(name), f"{provider}:{name}")
    return names


def _most_like(model: str, names: Mapping[str, str]) -> str:
    """Prefers the same words in another order: 'claude-4-5-sonnet'."""
    plain = loose(model)
    same = next((name for name in names if _words(name) == _words(plain)), "")
    return names.get(same or _alike(plain, names), "")


def _provider_names() -> list[str]:
    return [*snapshot.providers(), *OTHER_NAMES]


def _provider(name: str) -> str:
    """The provider's name, among all its names, that is most similar to this one."""
    return _alike(name.lower(), _provider_names())


def _words(name: str) -> list[str]:
    return sorted(name.split("-"))


def _alike(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only an error needs it

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=_LIKENESS)), "")
