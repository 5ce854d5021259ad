"""Which of an integration's own errors mean that what came in a 200 was no reply, told by where they were raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from capability_router.faults.evidence import loaded_json, read
from capability_router.faults.frames import frames_of
from capability_router.faults.kinds import Fault
from capability_router.faults.no_reply import STUMBLES, no_reply
from capability_router.faults.sdk_readers import (
    concerns_tool_call,
    is_validation_error,
    parsing_frame,
    receiving_frame,
    rejected_error_value,
)
from llamaindex_router.messages.fields import field
from llamaindex_router.messages.usage import counts_of, tier_of, usage_of

_INTEGRATIONS = "llama_index.llms."
_CONTENTS = ("choices", "output", "stream", "candidates", "content", "generations", "results")
_READER_OF_GEMINI = "chat_from_gemini_response"
_BLOCKS = ("TextBlock", "ThinkingBlock", "ToolCallBlock", "ChatMessage", "CompletionResponse")
"""What integrations make of a reply, and no caller's schema."""
_HELD = ("part", "response_dict", "chunk", "data")
"""Under which names SDKs hold it."""
_UNTOLD = object()
_SOUGHT = ("choices", "output")
_CHOICES = ("choices",)


def unparsed_reply_fault(error: BaseException) -> Fault | None:
    """The fault of a server that sent no reply, or a call that is none; None if the error came from anything else."""
    error = _tried(error)
    if not (isinstance(error, STUMBLES) or is_validation_error(error)):
        return None
    frames = frames_of(error)
    reader = parsing_frame(frames)
    if reader is not None:
        return _over_a_body(reader, error)
    told = _validated(error, frames) if is_validation_error(error) else _read_by_integration(error, frames)
    if told is None and (receiver := receiving_frame(error)) is not None:
        return _over_a_body(receiver, error)
    return told


def _over_a_body(reader: FrameType, error: BaseException) -> Fault:
    """The fault of the body that this function of an SDK holds."""
    if concerns_tool_call(error):
        return Fault("malformed_tool_call", "arguments that are no JSON object", started=True, error=error)
    return no_reply(_error_held(reader) or rejected_error_value(error), error)


def _validated(error: BaseException, frames: list[FrameType]) -> Fault | None:
    """The fault of a reply that did not fit LlamaIndex's own classes."""
    return no_reply(None, error) if read(error, "title") in _BLOCKS and any(map(_integrates, frames)) else None


def _read_by_integration(error: BaseException, frames: list[FrameType]) -> Fault | None:
    if isinstance(error, KeyError) and error.args == _CHOICES:  # nothing but a reply is asked for choices
        inside = [frame for frame in reversed(frames) if _integrates(frame)]
        bodies = (body for frame in inside for body in _bodies(frame.f_locals) if isinstance(body, dict))
        return no_reply(next(filter(None, map(_told_instead, bodies)), None), error) if inside else None
    return next((fault for frame in frames if (fault := _in_integration(frame, error)) is not None), None)


def _tried(error: BaseException) -> BaseException:
    """What stands behind tenacity's error, which some integrations let out even after a single attempt."""
    cause = error.__cause__
    return cause if cause is not None and type(error).__name__ == "RetryError" else error


def _integrates(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_INTEGRATIONS)


def _in_integration(frame: FrameType, error: BaseException) -> Fault | None:
    """Some look for the choices, the message or the content that is missing, or take texts alone."""
    if frame.f_code.co_name == _READER_OF_GEMINI:
        return no_reply(None, error)
    if not _integrates(frame):
        return None
    if not isinstance(getattr(frame.f_locals.get("delta"), "content", None), (str, type(None))):
        return no_reply(None, error)
    if isinstance(error, IndexError) and any(map(_choiceless, _bodies(frame.f_locals))):
        return no_reply(None, error)
    replies = (
        held for held in _replies(frame.f_locals) if _hollow(held) or _lacks(held, error) or _uncounted(held, error)
    )
    held = next(replies, None)
    return None if held is None else no_reply(_told_instead(held), error, usage_of(counts_of(held), tier_of(held)))


def _choiceless(chunk: object) -> bool:
    """Whether it is a chunk without choices, as servers send for counts: some integrations read the first of each."""
    return bool(field(field(chunk, "data") or chunk, "choices") == [])


def _bodies(held: Mapping[str, Any]) -> Iterator[Any]:
    """What may be the body or event: an SDK's `chunk`, and any object of JSON that the integration read itself."""
    yield held.get("chunk")
    yield from (body for body in held.values() if isinstance(body, dict))


def _replies(held: Mapping[str, Any]) -> Iterator[Any]:
    """What an integration was given by its SDK; or by an HTTP client, of whose response it has read the JSON."""
    names = ("response", "output", "data") if held.get("response") is not None else ("output",)
    yield from (reply for name in names if (reply := held.get(name)) is not None)


def _told_instead(response: object) -> object:
    """What stands in the place of a reply: under `error`, or the body itself if it is a message; else nothing."""
    extra = response if isinstance(response, dict) else (getattr(response, "model_extra", None) or {})
    return _error_in(response) or extra.get("error") or ("message" in extra and extra)


def _lacks(response: object, error: BaseException) -> bool:
    """Whether the error is about a part that this body doesn't have at all."""
    sought = (part for part in _SOUGHT if str(error).endswith(f"attribute {part!r}"))
    return isinstance(error, AttributeError) and any(getattr(response, part, _UNTOLD) is _UNTOLD for part in sought)


def _uncounted(response: object, error: BaseException) -> bool:
    """Whether the error is about the counts, which this body has as null: a failed response of OpenAI's is so."""
    return isinstance(error, AttributeError) and error.obj is None and _part(response, "usage") is None


def _error_held(reader: FrameType) -> object:
    """What the body has under `error`."""
    held = (reader.f_locals.get(name) for name in _HELD)
    bodies = (*held, loaded_json(reader.f_locals.get("response")))
    return next((told for body in bodies if isinstance(body, dict) and (told := body.get("error"))), None)


def _error_in(response: object) -> Any:
    """What a Responses body says under `error`, which its class knows."""
    error: Any = field(response, "error")
    return error.model_dump() if hasattr(error, "model_dump") else error


def _hollow(response: object) -> bool:
    """A body without choices, or whose first one has no message; one of Bedrock or the Responses without output;

    one of Anthropic's without content.
    """
    if isinstance(response, dict):
        return not (any(map(response.get, _CONTENTS)) or isinstance(response.get("message"), Mapping))
    choices, output = _part(response, "choices"), _part(response, "output")
    if choices is _UNTOLD or output is None:
        return output is None or (output is _UNTOLD and _part(response, "content") is None)
    return not choices or not isinstance(choices, list) or getattr(choices[0], "message", _UNTOLD) is None


def _part(response: object, name: str) -> Any:
    """A part of a body. What can't be read is untold: an HTTP client's own response raises where it is streamed."""
    try:
        return getattr(response, name, _UNTOLD)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything
        return _UNTOLD
