"""The time-out of one call over an SDK on httpx: the client's own, shortened to what the attempt may take.

The keyword `timeout` of these SDKs' calls replaces the client's whole setting, so what the application has set there,
and the SDK's own limit for opening a connection, must be in it. Each SDK takes the `Timeout` of its own httpx only, of
which there are several.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_CLIENTS = ("root_client", "_client", "client")
_PARTS = ("connect", "read", "write", "pool")


def call_timeout(model: object, limit_s: float | None, connect_s: float | None) -> Any:
    """Seconds for each part of a call, or the SDK's Timeout where the parts differ; None = no limit.

    `limit_s`: the most for any part, `connect_s` for opening a connection; None = the client's own.
    """
    client = _client(model)
    own = getattr(client, "timeout", None)
    made = _maker(client, own)
    if made is None:
        return _least(own if isinstance(own, (int, float)) else None, limit_s)
    own = own if hasattr(own, "connect") else made(own)
    parts = {part: _least(getattr(own, part), limit_s) for part in _PARTS}
    parts["connect"] = _least(parts["connect"], connect_s)
    return parts["read"] if len(set(parts.values())) == 1 else made(**parts)


def _least(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)


def _client(model: object) -> object:
    """The SDK's client below a model; the model itself if it has a `timeout` and makes its client later."""
    for name in _CLIENTS:
        held = getattr(model, name, None)
        for client in (held, getattr(held, "_client", None)):
            if hasattr(client, "timeout"):
                return client
    return model


def _maker(client: object, own: object) -> Callable[..., Any] | None:
    """The class of the SDK's time-outs; None = unknown. LlamaIndex's OpenAI makes its client at the first call."""
    if hasattr(own, "connect"):
        return type(own)
    packages = (type(client).__module__.partition(".")[0], "openai")
    found = (getattr(sys.modules.get(name), "Timeout", None) for name in packages)
    return next((each for each in found if isinstance(each, type)), None)
