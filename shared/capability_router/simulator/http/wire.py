"""The Chat Completions wire: the JSON of a whole answer and the events of a streamed one."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from capability_router.request import Usage
from capability_router.simulator.answers import SimulatedAnswer
from capability_router.simulator.tokens import compact

DONE = b"data: [DONE]\n\n"
_MOST_PIECES = 120
_WORDS = re.compile(r"\s*\S{1,16}|\s+")


class Envelope(NamedTuple):
    """What each JSON object of one answer repeats."""

    id: str
    model: str
    created: int


class Piece(NamedTuple):
    """One event of a stream; `tokens` are the output tokens generated once it is sent.

    `role` is "opening" (no content), "content" or "closing".
    """

    data: bytes
    tokens: int
    role: str


def usage_json(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0},
    }


def completion(envelope: Envelope, said: SimulatedAnswer, usage: Usage) -> dict[str, Any]:
    """A whole answer."""
    content = said.text or (None if said.calls else "")
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if said.calls:
        message["tool_calls"] = [_call(envelope, i, c.name, c.arguments) for i, c in enumerate(said.calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}
    head = {"id": envelope.id, "object": "chat.completion", "created": envelope.created, "model": envelope.model}
    return {**head, "choices": [choice], "usage": usage_json(usage), "system_fingerprint": "fp_simulated"}


def _call(envelope: Envelope, index: int, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{envelope.id.rpartition('-')[2]}{index}", "type": "function", "function": function}


def sse(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + compact(value).encode() + b"\n\n"


def events(envelope: Envelope, said: SimulatedAnswer, usage: Usage, *, include_usage: bool) -> list[Piece]:
    """The stream: role, content or tool calls, finish reason, usage when asked for, [DONE]."""
    chunks = _Chunks(envelope, include_usage)
    pieces = [chunks.piece({"role": "assistant", "content": None if said.calls else "", "refusal": None}, 0, "opening")]
    deltas = _deltas(envelope, said)
    spoken, done = usage.output_tokens - usage.reasoning_tokens, 0
    whole = sum(size for _, size in deltas) or 1
    for delta, size in deltas:
        done += size
        pieces.append(chunks.piece(delta, usage.reasoning_tokens + math.ceil(spoken * done / whole), "content"))
    pieces.append(chunks.piece({}, usage.output_tokens, "closing", said.finish))
    if include_usage:
        pieces.append(Piece(chunks.usage(usage), usage.output_tokens, "closing"))
    return [*pieces, Piece(DONE, usage.output_tokens, "closing")]


class _Chunks:
    def __init__(self, envelope: Envelope, include_usage: bool) -> None:
        self._head = {
            "id": envelope.id, "object": "chat.completion.chunk", "created": envelope.created,
            "model": envelope.model, "system_fingerprint": "fp_simulated",
        }  # fmt: skip
        self._usage: dict[str, Any] = {"usage": None} if include_usage else {}

    def piece(self, delta: dict[str, Any], tokens: int, role: str, finish: str | None = None) -> Piece:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Piece(sse({**self._head, "choices": [choice], **self._usage}), tokens, role)

    def usage(self, usage: Usage) -> bytes:
        return sse({**self._head, "choices": [], "usage": usage_json(usage)})


def _deltas(envelope: Envelope, said: SimulatedAnswer) -> list[tuple[dict[str, Any], int]]:
    """Each content delta with its share of the text."""
    found: list[tuple[dict[str, Any], int]] = [({"content": part}, len(part)) for part in _parts(said.text)]
    for index, call in enumerate(said.calls):
        opening = {"index": index, **_call(envelope, index, call.name, "")}
        found.append(({"tool_calls": [opening]}, len(call.name)))
        parts = _parts(call.arguments)
        found += [({"tool_calls": [{"index": index, "function": {"arguments": p}}]}, len(p)) for p in parts]
    return found


def _parts(text: str) -> list[str]:
    """The text in words, or in groups of words when it is long."""
    words = _WORDS.findall(text)
    step = max(math.ceil(len(words) / _MOST_PIECES), 1)
    return ["".join(words[i : i + step]) for i in range(0, len(words), step)]
