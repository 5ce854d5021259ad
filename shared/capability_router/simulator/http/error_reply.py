"""Answers that are errors, with the status, body and headers that OpenAI-compatible servers give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HttpErrorReply(Exception):
    """An HTTP error reply: `status`, the OpenAI error object and extra headers. Holds no prompt text."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.error = {"message": message, "type": type, "param": param, "code": code}
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": self.error}


def wait_headers(seconds: float) -> dict[str, str]:
    """Retry-After in whole seconds (rounded up, at least 1) and, exact, in milliseconds."""
    return {"retry-after": str(max(1, -int(-seconds // 1))), "retry-after-ms": str(max(1, round(seconds * 1000)))}


def bad_request(message: str, param: str | None = None) -> HttpErrorReply:
    """400 for a request that no model would take."""
    return HttpErrorReply(400, message, param=param)


def unsupported(param: str, message: str) -> HttpErrorReply:
    """400 for a request that this model does not take."""
    return HttpErrorReply(400, message, param=param, code="unsupported_parameter")


def too_long(window: int, used: int, reserve: int | None) -> HttpErrorReply:
    """400 context_length_exceeded, in OpenAI's words."""
    if reserve:
        rest = (
            f"However, you requested {used + reserve} tokens ({used} in the messages, {reserve} in the completion). "
            "Please reduce the length of the messages or completion."
        )
    else:
        rest = f"However, your messages resulted in {used} tokens. Please reduce the length of the messages."
    message = f"This model's maximum context length is {window} tokens. {rest}"
    return HttpErrorReply(400, message, param="messages", code="context_length_exceeded")


def wrong_key() -> HttpErrorReply:
    """401 invalid_api_key; the key is not repeated."""
    return HttpErrorReply(
        401, "Incorrect API key provided. Check the key of this simulated provider.", code="invalid_api_key"
    )


def unknown_model(name: str) -> HttpErrorReply:
    """404 model_not_found."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return HttpErrorReply(404, message, param="model", code="model_not_found")


def rate_limited(model: str, what: str, limit: int, wait_s: float, headers: Mapping[str, str]) -> HttpErrorReply:
    """429 with Retry-After; `what` is "requests" (RPM) or "tokens" (TPM)."""
    short = {"requests": "RPM", "tokens": "TPM"}[what]
    return HttpErrorReply(
        429,
        f"Rate limit reached for {model} on {what} per min ({short}): Limit {limit}. "
        f"Please try again in {wait_s:.3f}s.",
        type=what, code="rate_limit_exceeded", headers={**headers, **wait_headers(wait_s)},
    )  # fmt: skip


def no_quota() -> HttpErrorReply:
    """429 insufficient_quota: looks like a rate limit, does not pass."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return HttpErrorReply(429, message, type="insufficient_quota", code="insufficient_quota")


def filtered() -> HttpErrorReply:
    """400 content_filter."""
    message = "The response was filtered because the prompt triggered the provider's content management policy."
    return HttpErrorReply(400, message, type="invalid_request_error", param="prompt", code="content_filter")


_SERVER_WORDS = {
    500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
    502: ("Bad gateway.", "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "server_error", "overloaded"),
    504: ("The upstream did not answer in time.", "server_error", None),
    529: ("Overloaded.", "overloaded_error", None),
}


def server_failed(status: int, wait_s: float | None = None) -> HttpErrorReply:
    """A 5xx with the usual body, or any other error."""
    usual = (f"Simulated error {status}.", "server_error" if status >= 500 else "invalid_request_error", None)
    message, kind, code = _SERVER_WORDS.get(status, usual)
    return HttpErrorReply(status, message, type=kind, code=code, headers=wait_headers(wait_s) if wait_s else None)


def storm(model: str, wait_s: float) -> HttpErrorReply:
    """429 of a scripted storm."""
    message = f"Rate limit reached for {model} on requests per min (RPM). Please try again in {wait_s:.3f}s."
    return HttpErrorReply(429, message, type="requests", code="rate_limit_exceeded", headers=wait_headers(wait_s))
