"""The keys of a single call on their way to the client, where callbacks, traces and dumps see its keywords.

`mask_keys` is for what they see, `unmask_keys` for what is sent. Which headers hold a secret is told by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.address import fingerprint, is_secret

MASK = "**********"
_KEY, _HEADERS = "api_key", "extra_headers"
_HOLDERS = frozenset({_KEY, _HEADERS})


class MaskedText(str):
    """A text that is asterisks to whatever shows it or makes JSON of it. `secret` is the true one, also in a pickle.

    A `SecretStr` would not be JSON, which many handlers of callbacks make of what they are given.
    """

    __slots__ = ("secret",)
    secret: str

    def __new__(cls, secret: str) -> MaskedText:
        """Veil this text."""
        made = super().__new__(cls, MASK)
        made.secret = secret
        return made


def mask_keys(keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keywords of a call, with its own key and the secrets among its headers veiled."""
    if _HOLDERS.isdisjoint(keywords):  # the usual case
        return keywords
    return {name: _covered(name, value) if name in _HOLDERS else value for name, value in keywords.items()}


def unmask_keys(keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same keywords with the true texts."""
    if _HOLDERS.isdisjoint(keywords):
        return keywords
    return {name: _bare(value) if name in _HOLDERS else value for name, value in keywords.items()}


def mark_of(keywords: Mapping[str, Any]) -> str:
    """A one-way mark of the call's own keys, "" without any, by which calls of several accounts are told apart."""
    headers = keywords.get(_HEADERS)
    named = {**(headers if isinstance(headers, Mapping) else {}), _KEY: keywords.get(_KEY)}
    return fingerprint("\n".join(f"{name}: {_true(named[name])}" for name in named if named[name] and is_secret(name)))


def _covered(holder: str, value: Any) -> Any:
    if holder == _HEADERS and isinstance(value, Mapping):
        return {name: _text(text) if is_secret(str(name)) else text for name, text in value.items()}
    return _text(value)


def _text(value: Any) -> Any:
    return MaskedText(value) if isinstance(value, str) and value and not isinstance(value, MaskedText) else value


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _bare(text) for name, text in value.items()}
    return value.secret if isinstance(value, MaskedText) else value


def _true(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else _bare(value)
