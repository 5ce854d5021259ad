"""Where a Chat Completions server is, and on whose account it is called."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeGuard
from urllib.parse import urlsplit

from capability_router.address import Address, account_of, fingerprint, shown
from capability_router.endpoints.timeouts import ClientTimeouts
from capability_router.errors import ConfigError
from capability_router.nearest import nearest


class SecretLike(Protocol):
    """Holds a secret without showing it (pydantic's SecretStr is one)."""

    def get_secret_value(self) -> str:
        """The secret itself."""
        ...


class Secret:
    """A key that no repr, str or error shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The key itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


ApiKey = str | SecretLike | Callable[[], str]


@dataclass(frozen=True, slots=True, repr=False)
class EndpointSpec:
    """One model at one server.

    `api_key` is a string, a SecretStr or a callable asked before each call. `api_key_env` names an
    environment variable, read when the endpoint is built; with neither, no auth header is sent.
    `headers` are sent as they are. `timeouts`: connect, first_token, between_tokens, total, in
    seconds. Raises ConfigError for a URL, key, header or limit that cannot work.
    """

    base_url: str
    model: str
    api_key: ApiKey | None = None
    api_key_env: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeouts: ClientTimeouts = field(default_factory=ClientTimeouts)

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not self.model or not isinstance(self.model, str):
            raise ConfigError(f"endpoint {shown(self.base_url)!r}: needs `model`, the model's name at this server")
        put(self, "base_url", _checked_url(self.base_url, self.model))
        put(self, "headers", checked_headers(self.headers, self.model))
        put(self, "timeouts", ClientTimeouts.parse(self.timeouts, self.model))
        if isinstance(self.api_key, str):
            put(self, "api_key", Secret(self.api_key) if self.api_key.strip() else None)
        if self.api_key is not None and not (_is_secret(self.api_key) or callable(self.api_key)):
            raise ConfigError(f"model {self.model!r}: api_key must be a string, a SecretStr or a callable")

    @classmethod
    def parse(cls, value: EndpointSpec | Mapping[str, Any], *, owner: str = "", model: str = "") -> EndpointSpec:
        """From a mapping of the fields; `owner` (the card's id) names it in errors, `model` is the default."""
        if isinstance(value, EndpointSpec):
            return value
        known = [f.name for f in fields(cls)]
        whose = f"model {owner!r}: endpoint" if owner else "endpoint"
        if not isinstance(value, Mapping):
            raise ConfigError(f"{whose} must be a mapping with base_url and model, got {type(value).__name__}")
        for name in value:
            if name not in known:
                raise ConfigError(f"{whose}: unknown key {name!r}{nearest(name, known)}")
        if not value.get("base_url"):
            raise ConfigError(f"{whose}: needs base_url, such as 'https://api.openai.com/v1'")
        given = {name: item for name, item in value.items() if item is not None}
        return cls(**{"model": model, **given})

    def key(self) -> str | None:
        """The key for a call now; None = no auth header. Raises ConfigError, never showing the key."""
        return self._checked_key(self._raw_key())

    def _raw_key(self) -> str | None:
        if _is_secret(self.api_key):
            return self.api_key.get_secret_value()
        if callable(self.api_key):
            return self.api_key()
        if not self.api_key_env:
            return None
        value = os.environ.get(self.api_key_env, "")
        if not value.strip():
            raise ConfigError(
                f"model {self.model!r} takes its key from the environment variable {self.api_key_env}, which is "
                f"not set; set it, or leave out api_key_env if {shown(self.base_url)} wants no key"
            )
        return value

    def _checked_key(self, value: str | None) -> str | None:
        key = value.strip() if isinstance(value, str) else None
        if value is not None and (key is None or not key.isascii() or not key.isprintable() or " " in key):
            raise ConfigError(
                f"model {self.model!r}: the API key is not plain ASCII without blanks; check how it was copied"
            )
        return key or None

    @property
    def address(self) -> Address:
        """The failure domain: base URL without query, model, fingerprint of the key (never the key).

        A callable's keys change, so it stands for its own account as long as the process lives.
        """
        if callable(self.api_key) and not _is_secret(self.api_key):
            mark = fingerprint(f"{getattr(self.api_key, '__qualname__', '')}:{id(self.api_key)}")
        else:
            mark = fingerprint(self.key() or account_of(self.headers))
        return Address(self.base_url.partition("?")[0], self.model, mark)

    def __repr__(self) -> str:
        auth = self.api_key_env or ("given" if self.api_key else "none")
        headers = ", ".join(self.headers) or "none"
        where = self.base_url.partition("?")[0]
        return f"EndpointSpec(base_url={where!r}, model={self.model!r}, key: {auth}, headers: {headers})"


def _is_secret(value: object) -> TypeGuard[SecretLike]:
    return hasattr(value, "get_secret_value")


def _checked_url(value: Any, model: str) -> str:
    url = str(value).strip()
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # an impossible port or IPv6 address
        raise ConfigError(f"model {model!r}: base_url is not a URL; write 'https://host/v1'") from None
    if wrong or not url.isprintable() or " " in url:
        raise ConfigError(f"model {model!r}: base_url must be 'http(s)://host[:port]/path', got {shown(url)!r}")
    if "@" in parts.netloc:
        raise ConfigError(f"model {model!r}: base_url holds a user or password; use api_key or headers instead")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "")


def checked_headers(value: Any, model: str, where: str = "endpoint.headers") -> dict[str, str]:
    """Headers as texts, without blanks around; raises ConfigError, which quotes no value, for what can't be sent."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"model {model!r}: {where} must be a mapping of names to strings")
    headers = {str(name): str(text).strip(" ") for name, text in value.items()}
    for name, text in headers.items():
        plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not plain or not text.isascii() or not text.isprintable():
            raise ConfigError(f"model {model!r}: header {name!r} is not a plain ASCII name with a one-line ASCII value")
    return headers
