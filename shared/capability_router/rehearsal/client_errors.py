"""The exceptions that clients raise for a provider's errors. The router classifies them as usual.

The replies are the simulator's: the same status, body and headers that it sends over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from capability_router.faults.classify import classify
from capability_router.faults.kinds import Fault
from capability_router.simulator.http.error_reply import (
    HttpErrorReply,
    filtered,
    no_quota,
    server_failed,
    storm,
    too_long,
    unknown_model,
    wrong_key,
)


class ProviderError(Exception):
    """An error reply: `status_code`, `body` and the headers of `response`, as HTTP clients keep them."""

    def __init__(self, refusal: HttpErrorReply) -> None:
        super().__init__(str(refusal))
        self.status_code: int = refusal.status
        self.body: Mapping[str, Any] = refusal.body
        self.response = SimpleNamespace(status_code=refusal.status, headers=refusal.headers)


class APIError(Exception):
    """An error event in a stream that began well, by the name that clients give it."""

    def __init__(self) -> None:
        super().__init__("The server is overloaded.")
        self.body = {"error": {"message": "The server is overloaded.", "type": "server_error", "code": "overloaded"}}


class APITimeoutError(Exception):
    """The client's own time limit."""


def refused() -> Exception:
    """No connection was made."""
    return ConnectionRefusedError("connection refused")


def reset() -> Exception:
    """The connection was lost."""
    return ConnectionResetError("connection reset")


def page() -> Exception:
    """An HTML page came for JSON."""
    return json.JSONDecodeError("Expecting value", "", 0)


def timed_out() -> Exception:
    """The client has waited long enough."""
    return APITimeoutError("Request timed out.")


REPLIES: Mapping[str, Callable[[str, int, float, int], HttpErrorReply]] = {
    "errors": lambda _, status, value, used: server_failed(status),
    "rate-limit": lambda model, status, wait_s, used: storm(model, wait_s),
    "auth": lambda *_: wrong_key(),
    "quota": lambda *_: no_quota(),
    "gone": lambda model, *_: unknown_model(model),
    "overflow": lambda _, status, window, used: too_long(int(window) or max(used - 1, 1), used, None),
    "filter": lambda *_: filtered(),
}
"""Kind -> the reply, from the model's name, the status, the fault's value and the tokens of the input."""


def meant(error: BaseException, now_unix: float) -> Fault | None:
    """The error as the router classifies it; None = it is a bug of the program itself."""
    simulated = isinstance(error, (ProviderError, APIError, APITimeoutError, ConnectionError, json.JSONDecodeError))
    return classify(error, now_unix) if simulated else None
