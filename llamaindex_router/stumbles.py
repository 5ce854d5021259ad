"""Which of an integration's own errors mean that what came in a 200 was no reply, told by where they were raised."""

from __future__ import annotations

from types import FrameType
from typing import Any

from capability_router.faults.evidence import read
from capability_router.faults.kinds import Fault
from capability_router.faults.no_reply import STUMBLES, no_reply
from capability_router.faults.sdk_readers import about_a_call, error_refused, frames_of, is_check, sdk_reader
from llamaindex_router.messages.usage import counts_of, tier_of, usage_of

_INTEGRATIONS = ("llama_index.llms.openai.", "llama_index.llms.bedrock_converse.")
_READER_OF_GEMINI = "chat_from_gemini_response"
_BLOCKS = ("TextBlock", "ThinkingBlock", "ToolCallBlock", "ChatMessage")
"""What integrations make of a reply, and no caller's schema."""
_HELD = ("part", "response_dict", "chunk", "data")
"""Under which names SDKs hold it."""
_UNTOLD = object()
_SOUGHT = ("choices", "output")


def stumbled_over(error: BaseException) -> Fault | None:
    """The fault of a server that sent no reply, or a call that is none; None if the error came from anything else."""
    if not (isinstance(error, STUMBLES) or is_check(error)):
        return None
    frames = frames_of(error)
    reader = sdk_reader(frames)
    if reader is not None:
        if about_a_call(error):
            return Fault("malformed_tool_call", "arguments that are no JSON object", started=True, error=error)
        return no_reply(_error_held(reader) or error_refused(error), error)
    if is_check(error):
        return no_reply(None, error) if read(error, "title") in _BLOCKS and any(map(_integrates, frames)) else None
    return next((fault for frame in frames if (fault := _in_integration(frame, error)) is not None), None)


def _integrates(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("llama_index.llms.")


def _in_integration(frame: FrameType, error: BaseException) -> Fault | None:
    """Some look for the choices, the message or the content that is missing, or take texts alone."""
    place, response = str(frame.f_globals.get("__name__")), frame.f_locals.get("response")
    if frame.f_code.co_name == _READER_OF_GEMINI:
        return no_reply(None, error)
    if not place.startswith(_INTEGRATIONS):
        return None
    if not isinstance(getattr(frame.f_locals.get("delta"), "content", None), (str, type(None))):
        return no_reply(None, error)
    if response is None or not (_hollow(response) or _lacks(response, error)):
        return None
    extra = {"error": _error_in(response), **(getattr(response, "model_extra", None) or {})}
    usage = usage_of(counts_of(response), tier_of(response))
    return no_reply(extra.get("error") or ("message" in extra and extra), error, usage)


def _lacks(response: object, error: BaseException) -> bool:
    """Whether the error is about a part that this body doesn't have at all."""
    sought = (part for part in _SOUGHT if str(error).endswith(f"attribute {part!r}"))
    return isinstance(error, AttributeError) and any(getattr(response, part, _UNTOLD) is _UNTOLD for part in sought)


def _error_held(reader: FrameType) -> object:
    """What the body has under `error`."""
    bodies = (body for name in _HELD if isinstance(body := reader.f_locals.get(name), dict))
    return next((told for body in bodies if (told := body.get("error"))), None)


def _error_in(response: object) -> Any:
    """What a Responses body says under `error`, which its class knows."""
    error: Any = getattr(response, "error", None)
    return error if error is None or isinstance(error, (str, dict)) else error.model_dump()


def _hollow(response: object) -> bool:
    """A body without choices, or whose first one has no message; one of Bedrock or the Responses without output."""
    if isinstance(response, dict):
        return "output" not in response and "stream" not in response
    choices: Any = getattr(response, "choices", _UNTOLD)
    output: Any = getattr(response, "output", _UNTOLD)
    if choices is _UNTOLD or output is None:
        return output is None
    return not choices or not isinstance(choices, list) or getattr(choices[0], "message", _UNTOLD) is None
