"""What a Chat Completions server sends: whole answers, streamed chunks, error bodies."""

from __future__ import annotations

import json
from typing import Any

WORDS = ("a", "capability", "is", "what", "a", "model", "can", "do", "when", "it", "is", "asked", "to")
"""Every answer: the model's name, then these words."""
ARGUMENTS = {"city": "Paris"}
TOOL = "lookup"


def text(model: str) -> str:
    """The whole answer of a model."""
    return " ".join([f"{model}:", *(f"{model}-{word}" for word in WORDS)])


def pieces(model: str) -> list[str]:
    """The same, as a stream cuts it."""
    first, *rest = text(model).split(" ")
    return [first, *(f" {word}" for word in rest)]


def completion(model: str, finish: str = "stop", **message: Any) -> bytes:
    """A whole answer as JSON."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": None}
    return _json({**_head(model, "chat.completion"), "choices": [choice], "usage": _usage()})


def chunk(model: str, finish: str | None = None, **delta: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return event({**_head(model, "chat.completion.chunk"), "choices": [choice]})


def event(body: Any) -> bytes:
    """A server-sent event."""
    return b"data: " + _json(body) + b"\n\n"


def tool_call(arguments: str, **more: Any) -> dict[str, Any]:
    """A call of the one tool that is ever offered."""
    return {"id": "call_1", "type": "function", "function": {"name": TOOL, "arguments": arguments}, **more}


def error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> bytes:
    """An error body."""
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


def _usage() -> dict[str, int]:
    return {"prompt_tokens": 9, "completion_tokens": 13, "total_tokens": 22}


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
