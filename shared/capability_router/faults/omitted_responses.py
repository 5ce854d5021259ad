"""Finds a provider's answer that an SDK left out of its exception.

Some SDKs raise a bare sentence for an error response, or fail on its body. The response is then a variable of the
function that raised. Others put the error's body into the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

from capability_router.faults.frames import frames_of, home
from capability_router.json_text import parsed

_NAMES = ("response", "resp", "res", "raw_response", "http_res", "http_response", "r", "self")
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


def _frames(error: BaseException) -> Iterator[FrameType]:
    for frame in reversed(frames_of(error)[-_DEEP:]):
        if home(frame) in _FRAMEWORKS:
            return
        yield frame


def _responses(frame: FrameType) -> Iterator[Any]:
    variables = frame.f_locals
    yield from (variables[name] for name in _NAMES if name in variables)
    yield getattr(variables.get("self"), "__dict__", _NOTHING).get("_response")  # as httpx-sse's EventSource has it


def _refuses(held: Any) -> bool:
    """Whether it is an HTTP client's response (httpx, requests, aiohttp) with an error status."""
    try:
        status = getattr(held, "status_code", None) or getattr(held, "status", None)
        return type(status) is int and 400 <= status <= 599 and callable(getattr(held.headers, "items", None))
    except Exception:  # noqa: BLE001 - a foreign property may raise anything; then it is no response
        return False


def _quoted(error: BaseException) -> dict[Any, Any] | None:
    """The JSON object at the end of the error's text, if it describes an error."""
    try:
        text = str(error)[:_LONGEST].rstrip()
        found = parsed(text[text.index("{") :]) if text.endswith("}") else None
    except Exception:  # noqa: BLE001 - a foreign `str` may raise anything; then there is no body
        return None
    return found if isinstance(found, dict) and not _TOLD.isdisjoint(found) else None
