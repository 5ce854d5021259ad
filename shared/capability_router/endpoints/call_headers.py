"""Headers and API key of a single call, from the same keywords as in OpenAI's client.

`extra_headers` override the endpoint's own, and `extra_body` overrides the body. A key among those headers, or an
`api_key`, replaces the endpoint's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from capability_router.endpoints.spec import checked_headers
from capability_router.errors import ConfigError
from capability_router.request import KEY_HEADERS

_KEYWORDS = frozenset({"extra_headers", "extra_body", "api_key"})
_BEARER = "Bearer "
CLIENTS_OWN = frozenset({"content-length", "transfer-encoding", "connection", "accept"})
"""Headers that only the client may set."""


class CallHeaders(NamedTuple):
    """`headers` with names in lower case, and the `key` in them ("" = none), which must be scrubbed from errors."""

    headers: Mapping[str, str]
    key: str

    def __repr__(self) -> str:
        return f"CallHeaders({', '.join(self.headers) or 'nothing'})"

    def over(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The endpoint's headers, overridden by these."""
        named = {name.encode() for name in self.headers} | ({b"authorization"} if self.key else set())
        own = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return [(name, value) for name, value in headers if name.lower() not in named] + own


NOTHING = CallHeaders({}, "")


def split_call_headers(body: Mapping[str, Any], model: str) -> tuple[Mapping[str, Any], CallHeaders]:
    """The body to send, and the call's own headers. Raises ConfigError for headers or a key that can't be sent."""
    if _KEYWORDS.isdisjoint(body):  # the usual case
        return body, NOTHING
    more = body.get("extra_body") or {}
    if not isinstance(more, Mapping):
        raise ConfigError(f"model {model!r}: extra_body must be a mapping of the body's further fields")
    whole = {**{name: value for name, value in body.items() if name not in _KEYWORDS}, **more}
    return whole, _brought(body.get("extra_headers") or {}, body.get("api_key"), model)


def _brought(told: Any, key: Any, model: str) -> CallHeaders:
    given = {name: text for name, text in told.items() if text is not None} if isinstance(told, Mapping) else told
    checked = {name.lower(): text for name, text in checked_headers(given, model, "extra_headers").items()}
    headers = {name: text for name, text in checked.items() if name not in CLIENTS_OWN}
    secret = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    if secret and KEY_HEADERS.isdisjoint(headers):
        headers |= checked_headers({"authorization": f"{_BEARER}{secret}"}, model, "extra_headers")
    held = next((headers[name] for name in headers if name in KEY_HEADERS), "")
    return CallHeaders(headers, held.rpartition(" ")[2])  # without its scheme, however that is written
