"""The built-in client for any Chat Completions server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpcore

from capability_router.address import secrets_in
from capability_router.clock import SystemClock
from capability_router.endpoints.call_headers import CLIENTS_OWN, NOTHING, CallHeaders, split_call_headers
from capability_router.endpoints.connection_pool import ServerAddress
from capability_router.endpoints.exchange import Exchange
from capability_router.endpoints.providers import is_known
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import CallDeadline, TimeoutsLike
from capability_router.endpoints.wire import request_body
from capability_router.errors import ConfigError

_PORTS = {"http": 80, "https": 443}


class OpenAICompatible:
    """One model at one server; safe to share between threads, tasks and event loops.

    It never retries. Connections are kept alive and shared by all endpoints at the same server.
    Raises ConfigError if the key's environment variable is not set.
    """

    def __init__(self, spec: EndpointSpec) -> None:
        self.spec = spec
        self.model = spec.model
        self.address = spec.address
        self.sends_usage_option = True
        """Streams ask for their usage until the server says that it doesn't know the option."""
        self._clock = SystemClock()
        parts = urlsplit(spec.base_url)
        host = (parts.hostname or "").encode("idna").decode()
        self.gives_reason = is_known(parts.netloc)
        """Whether its answers state why they end: those of known servers, and of any that has done so once."""
        self.server = ServerAddress(parts.scheme, host, parts.port or _PORTS[parts.scheme])
        path = quote(f"{parts.path}/chat/completions", safe="/%:@!$&'()*+,;=~")
        target = f"{path}?{parts.query}" if parts.query else path
        self.url = httpcore.URL(
            scheme=parts.scheme.encode(), host=host.encode(), port=self.server.port, target=target.encode()
        )
        self._rotates = callable(spec.api_key) and not hasattr(spec.api_key, "get_secret_value")
        self._key = "" if self._rotates else spec.key() or ""
        self._secrets = secrets_in(spec.headers, parts.query)
        self._keys = (self._key, *self._secrets)
        named = {name.lower() for name in spec.headers}
        fixed = {
            "host": parts.netloc.encode("idna").decode(), "content-type": "application/json",
            "accept-encoding": "identity", "user-agent": "capability-router",
        }  # fmt: skip
        self._fixed = [(n.encode(), v.encode()) for n, v in fixed.items() if n not in named]
        self._fixed += [(n.encode(), v.encode()) for n, v in spec.headers.items() if n.lower() not in CLIENTS_OWN]
        self._wants_auth = "authorization" not in named

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.spec!r})"

    def start(self, body: Mapping[str, Any], *, stream: bool = False, timeouts: TimeoutsLike | None = None) -> Exchange:
        """A call with this body (`messages`, options). Nothing is sent before its chunks are iterated.

        `extra_headers`, `extra_body` and an `api_key` among the options are for this call only (`call_headers.py`).
        `timeouts` override the endpoint's own; they start now.
        """
        clocks, told = self.spec.timeouts.under(timeouts), {}
        if timeouts is not None and timeouts.total is not None:
            told = {"total_by": getattr(timeouts, "total_by", "timeouts.total")}  # the router's timeouts name it
        patience = CallDeadline(clocks, stream=stream, now=self._clock.now, **told)
        whole, brought = split_call_headers(body, self.model)
        return Exchange(self, whole, stream=stream, patience=patience, brought=brought)

    def encode(self, body: Mapping[str, Any], *, stream: bool) -> bytes:
        """The request's bytes."""
        return request_body(body, model=self.model, stream=stream, include_usage=self.sends_usage_option)

    def headers(
        self, size: int, *, stream: bool, brought: CallHeaders = NOTHING
    ) -> tuple[list[tuple[bytes, bytes]], tuple[str, ...]]:
        """The headers of a call with a body of `size` bytes, and the keys in them and in the URL (to be scrubbed)."""
        key = brought.key or ((self.spec.key() or "") if self._rotates else self._key)
        headers = [
            *(self._fixed if brought is NOTHING else brought.over(self._fixed)),
            (b"accept", b"text/event-stream" if stream else b"application/json"),
            (b"content-length", b"%d" % size),
        ]
        if key and self._wants_auth and not brought.key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        own = self._keys if key is self._key else (key, *self._secrets)
        return headers, own if brought is NOTHING else (*own, *secrets_in(brought.headers))


def client_for(endpoint: Mapping[str, Any], *, owner: str = "", model: str = "") -> OpenAICompatible:
    """The client of a card's `endpoint` mapping; `owner` is the card's id, `model` its model's name."""
    try:
        return OpenAICompatible(EndpointSpec.parse(endpoint, owner=owner, model=model))
    except UnicodeError:
        whose = owner or model
        raise ConfigError(f"model {whose!r}: base_url has a host name that can't be written as ASCII") from None
