"""The errors of the built-in client.

    EndpointError                  model, status_code, code, type, headers, request_id
    ├── EndpointStatusError        the server answered with a status other than 2xx
    ├── EndpointStreamError        an error event inside a stream that began well
    ├── EndpointReplyError         a 2xx answer that is not a Chat Completions reply
    ├── EndpointTimeout            one of the four timeouts passed                         .clock
    └── EndpointConnectionError    refused, reset, cut off, no such host, a bad certificate

None of them contains a key, a prompt or a completion: the server's texts are scrubbed first (scrub.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from capability_router.errors import RouterError
from capability_router.faults.error_classification import ErrorClassification
from capability_router.request import Usage


class ErrorResponse(NamedTuple):
    """The status and the hint headers of an error answer, under the names HTTP clients use."""

    status_code: int | None
    headers: Mapping[str, str]


class EndpointError(RouterError):
    """A call to a model's server failed.

    `status_code` is None if there is no error status. `code`, `type` and `param` are the provider's own, "" if it gave
    none. `headers`: only rate-limit and retry hints. `usage`: the tokens reported before or with the error; None =
    none. `page`: the answer was an HTML page. `told`: the ErrorClassification of the whole answer, of which this error
    contains only what may be shown; None = it contains all. `whole`: the answer itself, in errors that are only
    classified, never raised.
    """

    usage: Usage | None = None
    page: bool = False
    told: ErrorClassification | None = None
    whole: Any = None

    def __init__(
        self, message: str, *, model: str = "", status_code: int | None = None, code: str = "", type: str = "",
        param: str = "", headers: Mapping[str, str] | None = None, request_id: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.model, self.status_code = model, status_code
        self.code, self.type, self.param = code, type, param
        self.headers: dict[str, str] = dict(headers or {})
        self.request_id = request_id

    @property
    def response(self) -> ErrorResponse:
        """Status and hint headers, in the attribute where HTTP clients have them."""
        return ErrorResponse(self.status_code, self.headers)

    @property
    def body(self) -> Any:
        """The kept parts of the provider's error object: code, type, param; never its message."""
        return self.whole or {"error": {"code": self.code, "type": self.type, "param": self.param}}


class EndpointStatusError(EndpointError):
    """The server answered with a status other than 2xx."""


class EndpointStreamError(EndpointError):
    """An error event inside a stream; `status_code` is set only if the event names one."""


class EndpointReplyError(EndpointError):
    """A 2xx answer that is no Chat Completions reply: not JSON, an HTML page, no choices."""


class EndpointTimeout(EndpointError):
    """A timeout passed. `clock`: connect, first_token, between_tokens or total; `limit_s` in seconds."""

    def __init__(self, message: str, *, clock: str = "", limit_s: float | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.clock, self.limit_s = clock, limit_s


class EndpointConnectionError(EndpointError):
    """The server was not reached, or the connection broke before the reply was complete.

    `sent`: whether the request may have reached the server, which may then bill for it.
    """

    def __init__(self, message: str, *, sent: bool = True, **known: Any) -> None:
        super().__init__(message, **known)
        self.sent = sent
