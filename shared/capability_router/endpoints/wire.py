"""The Chat Completions format: a request's bytes, and what a chunk or a whole reply says.

Pure functions. A whole reply is read as a stream of one Delta. Of several choices one is read at a time. `raw` has all,
the one that is read first; none if that one is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from capability_router.endpoints.usage import has_negative_count, usage_from
from capability_router.money.bill import billed
from capability_router.request import ENDS, Finish, Usage

BROKEN_FINISHES = {Finish.ERROR: "server_error", Finish.OVERLOADED: "overloaded_error"}
"""Ends that are faults of the provider, and the error type they stand for."""


class ToolCallDelta(NamedTuple):
    """A piece of a tool call; `arguments` is a fragment of JSON text. The same `index` = the same call."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of it
    id: str = ""
    name: str = ""
    arguments: str = ""


class Delta(NamedTuple):
    """What one chunk adds; for a unary call, the whole reply. `raw` is the JSON object as it came."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish: Finish | None = None
    finish_raw: str = ""
    usage: Usage | None = None
    model: str = ""
    id: str = ""
    refusal: str = ""
    cost: Decimal | None = None
    raw: Mapping[str, Any] = {}  # never written to

    @property
    def carries(self) -> bool:
        """Whether it holds text, reasoning, a refusal or a tool call."""
        return bool(self.text) or self.carries_beside_text

    @property
    def carries_beside_text(self) -> bool:
        """Whether it holds reasoning, a refusal or a tool call."""
        return bool(self.reasoning or self.tool_calls or self.refusal)

    def __repr__(self) -> str:
        size = len(self.text) + len(self.reasoning)
        return f"<Delta {size} characters, {len(self.tool_calls)} tool calls, finish={self.finish_raw or None}>"


_OTHER = {"choices": [{"index": 0, "delta": {}, "finish_reason": "other"}]}
UNSTATED = Delta(finish=Finish.OTHER, finish_raw="other", raw=_OTHER)
"""The end of an answer whose server does not say why it ends."""


def request_body(body: Mapping[str, Any], *, model: str, stream: bool = False, include_usage: bool = True) -> bytes:
    """The request as JSON bytes. The body's own `model` and `stream_options` go before ours.

    Raises TypeError or ValueError (NaN) for what is not JSON.
    """
    whole: dict[str, Any] = {"model": model, **body}
    if stream:
        whole["stream"] = True
        if include_usage:
            whole.setdefault("stream_options", {"include_usage": True})
    else:
        whole.pop("stream", None)
        whole.pop("stream_options", None)
    try:
        return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can escape it, UTF-8 can't hold it
        return json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()


def delta_from(chunk: Mapping[str, Any], number: int | None = None) -> Delta:
    """A chunk of a stream, or a whole reply, as a Delta. Missing and null fields count as absent.

    So does what should be a text and is none.

    `number`: of the choice to be read; None = 0, else the first that is there.
    """
    choices = chunk.get("choices")
    choice = choices[0] if choices else _NOTHING
    if (choice.get("index") or 0) != (number or 0):
        choice = _numbered(choices, number)
        others = (other for other in choices or () if other is not choice)
        chunk = {**chunk, "choices": [choice, *others] if choice else []}
    told = choice.get("delta") or choice.get("message") or _NOTHING
    content = told.get("content")
    text, thought = (content, "") if isinstance(content, str) else _parts(content)
    usage = chunk.get("usage") or _groq_usage(chunk)
    usage = usage if isinstance(usage, Mapping) else None
    raw_finish = choice.get("finish_reason") or ""
    calls = told.get("tool_calls") or told.get("function_call")
    thought, refusal = told.get("reasoning_content") or told.get("reasoning") or thought, told.get("refusal")
    return Delta(
        text or _text(choice.get("text")),
        _text(thought) if thought else "",
        _tool_calls(calls, whole=not choice.get("delta")) if calls else (),
        finish_from(raw_finish) if raw_finish else None,
        raw_finish,
        usage_from(usage, chunk.get("service_tier")) if usage and not has_negative_count(usage) else None,
        chunk.get("model") or "",
        chunk.get("id") or "",
        _text(refusal) if refusal else "",
        billed(usage) if usage else None,
        chunk,
    )


_NOTHING: Mapping[str, Any] = {}


def other_answers(reply: Mapping[str, Any]) -> list[Delta]:
    """The choices of a whole reply beside the first, for a request of several answers (`n`).

    The counts are of all answers together, so that only the first one's Delta has them.
    """
    choices = reply.get("choices") or ()
    first = _numbered(choices, None)
    beside = (choice for choice in choices if choice is not first and isinstance(choice, Mapping))
    return [
        delta_from({**reply, "choices": [choice]}, choice.get("index"))._replace(usage=None, cost=None)
        for choice in beside
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _numbered(choices: Any, number: int | None) -> Mapping[str, Any]:
    found = next((choice for choice in choices if (choice.get("index") or 0) == (number or 0)), None)
    return found or (choices[0] if number is None and choices else _NOTHING)


def number_of(chunk: Mapping[str, Any]) -> int | None:
    """The number of the choice that is read of this chunk if nobody says which; None = it has none."""
    choices = chunk.get("choices")
    return (_numbered(choices, None).get("index") or 0) if choices else None


def _groq_usage(chunk: Mapping[str, Any]) -> Any:
    extra = chunk.get("x_groq")  # Groq's streams put the usage here
    return extra.get("usage") if extra else None


def _parts(content: Any) -> tuple[str, str]:
    """Text and reasoning of content given as a list of parts (Mistral's thinking models)."""
    if not isinstance(content, list):
        return "", ""
    text, thought = [], []
    for part in content:
        if isinstance(part, str):
            text.append(part)
        elif part.get("type") == "thinking":
            inner = part.get("thinking")
            thought.append(inner if isinstance(inner, str) else _parts(inner)[0])
        else:
            text.append(part.get("text") or "")
    return "".join(text), "".join(thought)


def _tool_calls(calls: Any, *, whole: bool) -> tuple[ToolCallDelta, ...]:
    if isinstance(calls, Mapping):  # the old function_call: one call without an id
        return (ToolCallDelta(0, "", calls.get("name") or "", _arguments(calls)),)
    out = []
    for position, call in enumerate(calls):
        function = call.get("function") or _NOTHING
        index = None if whole else call.get("index")  # some servers number all calls of a whole reply 0
        number, name = position if index is None else index, function.get("name") or ""
        if not (isinstance(number, int) and isinstance(name, str)):
            raise TypeError("a tool call of another shape")
        out.append(ToolCallDelta(number, str(call.get("id") or ""), name, _arguments(function)))
    return tuple(out)


def _arguments(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments)  # some servers send an object instead of its text


def finish_from(raw: str) -> Finish:
    """The provider's word for why it stopped; an unknown word is OTHER."""
    return ENDS.get(raw) or ENDS.get(raw.lower(), Finish.OTHER)
