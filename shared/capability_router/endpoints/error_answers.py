"""Converts a server's answers that are no replies to errors: statuses, error bodies, error events, HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpcore

from capability_router.endpoints.errors import (
    EndpointError,
    EndpointReplyError,
    EndpointStatusError,
    EndpointStreamError,
)
from capability_router.endpoints.scrub import Keys, identifier, scrub
from capability_router.faults import classify
from capability_router.faults.error_classification import ErrorClassification
from capability_router.faults.unreachable_server import why_tls
from capability_router.json_text import parsed
from capability_router.money.bill import COST_HEADER

_HINTS = (
    b"x-ratelimit-", b"ratelimit", b"anthropic-ratelimit-", b"x-tokenlimit-", b"retry-after", b"x-retry-after",
    b"x-ms-retry-after",
)  # fmt: skip
_HINT_NAMES = {b"x-should-retry", b"proxy-authenticate", COST_HEADER.encode()}
_HEADERS, _TITLE = "request header or cookie too large", 500
_REQUEST_IDS = (b"x-request-id", b"request-id", b"x-req-id", b"cf-ray")


def hints(headers: Mapping[bytes, bytes], key: Keys = "") -> dict[str, str]:
    """Only the headers about rate limits, retries, costs and proxies, in lower case; none that contains a key."""
    found = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name in _HINT_NAMES or name.startswith(_HINTS)
    }
    return {name: value for name, value in found.items() if scrub(value, "", key) == value}


def request_id(headers: Mapping[bytes, bytes], key: Keys = "") -> str:
    """The server's request id; "" if it gives none."""
    found = next((headers[name] for name in _REQUEST_IDS if name in headers), b"")
    return identifier(found.decode("latin-1"), "", key)


class ErrorContent(NamedTuple):
    """The content of an error answer, before it is scrubbed and becomes an exception."""

    kind: type[EndpointError]
    what: str
    says: str = ""
    code: Any = None
    type: Any = None
    param: Any = None
    status: int | None = None
    page: bool = False
    body: Any = None

    def error(
        self, model: str, sent: bytes, key: Keys, status: int | None, headers: Mapping[str, str], request_id: str
    ) -> EndpointError:
        """The exception to raise, without key and prompt."""
        body = sent.decode("utf-8", "replace")
        says = scrub(self.says, body, key)
        error = self.kind(
            f"{model} {self.what}" + (f": {says}" if says else ""),
            model=model,
            status_code=self.status if self.kind is EndpointStreamError else self.status or status,
            code=identifier(self.code, body, key),
            type=identifier(self.type, body, key),
            param=identifier(self.param, body, key),
            headers=headers,
            request_id=request_id,
        )
        error.page = self.page
        error.told = self._meaning(error)
        return error

    def _meaning(self, shown: EndpointError) -> ErrorClassification | None:
        """The kind of fault by the unscrubbed text. Scrubbing may remove a decisive word that is in the prompt too."""
        if not self.says and self.body is None:
            return None
        text = self.says if self.body is None else str(self.body)
        whole = self.kind(text, status_code=shown.status_code, headers=shown.headers)
        whole.page, whole.whole = self.page, self.body
        found = classify(whole)
        return ErrorClassification(found.kind, found.window, found.retry_after_s, found.too_large)


def refusal(status: int, body: bytes) -> ErrorContent:
    """A status other than 2xx."""
    what = f"answered {status}"
    if 300 <= status < 400:
        advice = "a redirect, which is not followed; correct its base_url"
        return ErrorContent(EndpointStatusError, f"{what}, {advice}", status=status)
    try:
        told = parsed(body)
    except ValueError:
        plain = "" if looks_like_html(body) or not body.strip() else body.decode("utf-8", "replace")
        what = what if plain else f"{what} with {kind_of(body)}"
        return ErrorContent(EndpointStatusError, what, plain, status=status, page=looks_like_html(body))
    return _from_error(EndpointStatusError, what, _error_of(told), status)._replace(body=told)


def error_event(error: Any) -> ErrorContent:
    """An error inside a stream, or in the body of a 200."""
    status = None
    if isinstance(error, Mapping):
        numbers = [str(error.get(name)) for name in ("code", "status_code", "status")]
        status = next((int(n) for n in numbers if n.isascii() and n.isdigit() and 400 <= int(n) < 600), None)
    return _from_error(EndpointStreamError, "sent an error in place of its reply", error, status)._replace(body=error)


def bare_error(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The body itself, if it has an error's fields and no reply's; an `event: error` is often like that."""
    told = any(isinstance(body.get(name), str) and body[name] for name in ("message", "detail", "code"))
    return body if told and not body.get("choices") else None


def not_a_reply(what: str) -> ErrorContent:
    """A 2xx answer of the wrong form."""
    return ErrorContent(EndpointReplyError, f"answered with {what} instead of a Chat Completions reply")


def packed(status: int) -> ErrorContent:
    """An answer that is compressed in a way that is not read; a status other than 2xx tells enough."""
    what = "a compressed body, which was not asked for,"
    return (
        not_a_reply(what)
        if 200 <= status < 300
        else ErrorContent(EndpointStatusError, f"answered {status} with {what[:-1]}")
    )


def kind_of(body: bytes) -> str:
    """A description of the body without quoting it, except nginx's page about the request."""
    if not body.strip():
        return "an empty body"
    if not looks_like_html(body):
        return "text that is not JSON"
    return f"an HTML page: {_HEADERS}" if _HEADERS.encode() in body[:_TITLE].lower() else "an HTML page"


def looks_like_html(body: bytes) -> bool:
    """Whether the body is HTML."""
    return body.lstrip()[:1] == b"<"


def _error_of(parsed: Any) -> Any:
    """The error in a body: {"error": {...}}, {"error": "..."}, {"detail": ...}, {"message": ...}, [{...}]."""
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, Mapping):
        return parsed
    found = parsed.get("error") or parsed.get("errors")
    if isinstance(found, str):
        return {**parsed, "message": found}
    return found or {**parsed, "message": parsed.get("message") or parsed.get("detail")}


def _from_error(kind: type[EndpointError], what: str, error: Any, status: int | None) -> ErrorContent:
    if not isinstance(error, Mapping):
        says = error if isinstance(error, str) else ""
        return ErrorContent(kind, what, says, code=says if says.isidentifier() else None, status=status)
    says = error.get("message") or error.get("detail") or ""
    # Google writes its word under `status` ("RESOURCE_EXHAUSTED") and the number under `code`.
    word = error.get("status") if isinstance(error.get("status"), str) else None
    return ErrorContent(
        kind, what, says if isinstance(says, str) else json.dumps(says, ensure_ascii=False),
        error.get("code"), error.get("type") or word, error.get("param"), status,
    )  # fmt: skip


def connection(model: str, error: Exception) -> str:
    """A description of a connection error, without quoting received bytes."""
    if isinstance(error, httpcore.ConnectError):
        if tls := why_tls(error):
            return f"{model} could not be reached: {tls}"
        why = scrub(str(error)) or "the connection failed"
        return f"{model} could not be reached: {why}; check base_url and network"
    if isinstance(error, httpcore.ProxyError):
        return f"{model} could not be reached through the proxy; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    how = "broke HTTP's rules or hung up" if isinstance(error, httpcore.ProtocolError) else "broke"
    return f"the connection to {model} {how} before the reply was whole"
