"""What an answer cost that OpenAI's SDK could not parse, or not read to its end; its frames hold what came."""

from __future__ import annotations

from types import FrameType
from typing import Any

from capability_router.endpoints.usage import has_negative_count, usage_from
from capability_router.faults.evidence import read
from capability_router.faults.frames import frames_of, home
from capability_router.request import Usage
from capability_router.tokens.estimate import estimate_tokens

_HELD = ("chat_completion", "completion_snapshot")
"""Under which names its parsers hold a whole reply, and a stream's reply so far."""
_SO_FAR = "current_completion_snapshot"
"""The same of the object that reads a stream for a schema."""


def usage_of(error: BaseException) -> Usage | None:
    """The tokens of the answer that the error is about, as far as they are known; None = nothing of one is there.

    In most streams the counts come after the end of the text. Then the output is estimated by the text so far.
    """
    frames = (frame for frame in reversed(frames_of(error)) if home(frame) == "openai")
    completion = next((found for frame in frames if (found := _held_by(frame)) is not None), None)
    told = _dumped(read(completion, "usage"))
    if "prompt_tokens" in told and not has_negative_count(told):
        return usage_from(told, read(completion, "service_tier"))
    out = estimate_tokens(text) if (text := _text(completion)) else 0
    return Usage(output_tokens=out, estimated=True) if out else None


def _held_by(frame: FrameType) -> object:
    held = (frame.f_locals.get(name) for name in _HELD)
    found = next((completion for completion in held if completion is not None), None)
    return read(frame.f_locals.get("self"), _SO_FAR) if found is None else found


def _dumped(usage: object) -> dict[str, Any]:
    dump = getattr(usage, "model_dump", None)
    return dump(warnings=False) if callable(dump) else {}


def _text(completion: object) -> str:
    """The text and the arguments of the tool calls."""
    messages = [read(choice, "message") for choice in read(completion, "choices") or ()]
    calls = [read(call, "function") for message in messages for call in read(message, "tool_calls") or ()]
    found = [*(read(message, "content") for message in messages), *(read(call, "arguments") for call in calls)]
    return "".join(part for part in found if isinstance(part, str))
