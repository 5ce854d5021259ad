"""Finds a provider's answer that an SDK left out of its exception.

Some SDKs raise a bare sentence for an error response, or fail on its body. The response is then a variable of the
function that raised. Others put the error's body into the text. The same variables show that an SDK failed on a
successful response.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

from capability_router.faults.frames import frames_of, home
from capability_router.json_text import parsed

_NAMES = ("response", "resp", "res", "raw_response", "http_res", "http_response", "r", "self")
_ATTRIBUTES = ("_response", "response")  # of httpx-sse's EventSource, and of AI21's Stream
_DEEP = 5  # frames, the innermost first: a body's parser, `loads`, `json`, the SDK's own
_FRAMEWORKS = frozenset({"langchain_core", "langchain_router", "llamaindex_router", "capability_router"})
_LONGEST = 4096
_NOTHING: dict[str, Any] = {}
_TOLD = frozenset({"error", "message", "detail", "code", "errors"})


class OmittedResponse(Exception):
    """An exception with the found answer in the attributes `response` or `body`, as SDKs' own exceptions have it."""

    def __init__(self, *, response: Any = None, body: Any = None) -> None:
        super().__init__()
        self.response, self.body = response, body


def left_out(error: BaseException) -> OmittedResponse | None:
    """The answer behind an error that has none in its attributes; None if none is found."""
    refusal = next((one for frame in _frames(error) for one in _responses(frame) if _refuses(one)), None)
    if refusal is not None:
        return OmittedResponse(response=refusal)
    body = None if type(error).__module__ == "builtins" and type(error) is not Exception else _quoted(error)
    return None if body is None else OmittedResponse(body=body)


def received(error: BaseException) -> FrameType | None:
    """The innermost function of an SDK that held a successful response while the error came through; None = none did.

    A model's own code may have sent such a request for another purpose before it called its SDK. So only functions
    below the last one of a framework count.
    """
    return next((frame for frame in _frames(error) if any(map(_succeeded, _responses(frame)))), None)


def _frames(error: BaseException) -> Iterator[FrameType]:
    for frame in reversed(frames_of(error)[-_DEEP:]):
        if home(frame) in _FRAMEWORKS:
            return
        yield frame


def _responses(frame: FrameType) -> Iterator[Any]:
    variables = frame.f_locals
    yield from (variables[name] for name in _NAMES if name in variables)
    attributes = getattr(variables.get("self"), "__dict__", _NOTHING)
    yield from (attributes.get(name) for name in _ATTRIBUTES)


def _refuses(held: Any) -> bool:
    return 400 <= _status(held) <= 599


def _succeeded(held: Any) -> bool:
    return 200 <= _status(held) <= 299


def _status(held: Any) -> int:
    """The status of an HTTP client's response (httpx, requests, aiohttp); 0 = it is no response."""
    try:
        status = getattr(held, "status_code", None) or getattr(held, "status", None)
        return status if type(status) is int and callable(getattr(held.headers, "items", None)) else 0
    except Exception:  # noqa: BLE001 - a foreign property may raise anything; then it is no response
        return 0


def _quoted(error: BaseException) -> dict[Any, Any] | None:
    """The JSON object at the end of the error's text, if it describes an error."""
    try:
        text = str(error)[:_LONGEST].rstrip()
        found = parsed(text[text.index("{") :]) if text.endswith("}") else None
    except Exception:  # noqa: BLE001 - a foreign `str` may raise anything; then there is no body
        return None
    return found if isinstance(found, dict) and not _TOLD.isdisjoint(found) else None
