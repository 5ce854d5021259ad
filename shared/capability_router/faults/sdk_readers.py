"""Where SDKs read what a server sent: what they raise there over it is about the reply, not about the request.

An SDK that wants an object and is sent a list, a number or another shape stumbles with a TypeError, an AttributeError
or a check of its own, as it would over an argument. Where it was raised tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType
from typing import Any

from capability_router.faults.evidence import class_names, read
from capability_router.faults.frames import home
from capability_router.faults.no_reply import STUMBLES

_READERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ollama", "inner"): ("line",), ("ollama", "_request"): (), ("openrouter", "_parse_event"): (),
    ("huggingface_hub", "parse_obj_as_instance"): (),
    ("huggingface_hub", "_format_chat_completion_stream_output"): (),
    ("cohere", "construct_type"): (), ("botocore", "_do_parse"): (),
    ("google", "_generate_content"): ("response_dict",), ("google", "_generate_content_stream"): ("response_dict",),
    ("google", "async_generator"): ("response_dict", "chunk"), ("google", "request_streamed"): ("chunk",),
}  # fmt: skip
"""(package, function) -> the variables of which it has one as soon as something came; () = it is called with that."""
_SENDING = frozenset({"_request_raw"})
"""Below a reader, the function that sends."""
_OF_CALLS, _OF_STREAMS = "parse_function_tool_arguments", "_accumulate_chunk"
"""Where OpenAI's SDK parses what a model said: arguments of calls, and all of it as a stream is put together."""
_TOOL_CHUNK = "tool_call_chunk"
"""A variable of the latter that is there once it is the turn of tools."""
_PARSERS = {
    "parse_chat_completion": "server_error", "parse_response": "server_error",
    "current_completion_snapshot": "truncated",  # of a stream, which is asserted to have had a chunk
}  # fmt: skip
"""What OpenAI's SDK does itself with a reply where it parses what was said; texts are parsed in functions below."""
_CALLS = frozenset({"tool_calls", "functionCall", "function_call"})


def sdk_reader(frames: list[FrameType]) -> FrameType | None:
    """The frame of an SDK that was reading a reply; None if none was."""
    if any(frame.f_code.co_name in _SENDING for frame in frames):
        return None
    return next((frame for frame in reversed(frames) if _reads(frame)), None)


def _reads(frame: FrameType) -> bool:
    came = _READERS.get((home(frame), frame.f_code.co_name))
    return came is not None and (not came or not frame.f_locals.keys().isdisjoint(came))


def unread(frames: list[FrameType], error: BaseException) -> str:
    """The kind of a fault of what a model said, over which OpenAI's SDK raised as it parsed it; "" if that is not why.

    It parses a text for a schema, and the arguments of strict tools, as a stream is put together and at the end.
    """
    if not isinstance(error, ValueError):
        return ""
    last = next((frame for frame in reversed(frames) if _parses(frame)), None)
    if last is None:
        return ""
    if last.f_code.co_name == _OF_CALLS:
        return "malformed_tool_call"
    bare = type(error) is ValueError and last is frames[-1]  # of a parser that is no Python
    return ("malformed_tool_call" if _TOOL_CHUNK in last.f_locals else "unparsable") if bare else ""


def parsed_nothing(frames: list[FrameType], error: BaseException) -> str:
    """The kind of a fault of a server that sent no reply where OpenAI's SDK was to parse one; "" if that is not why."""
    last = frames[-1] if frames else None
    if last is None or home(last) != "openai":
        return ""
    return "" if not isinstance(error, (*STUMBLES, AssertionError)) else _PARSERS.get(last.f_code.co_name, "")


def _parses(frame: FrameType) -> bool:
    return frame.f_code.co_name in (_OF_CALLS, _OF_STREAMS) and home(frame) == "openai"


def is_check(error: BaseException) -> bool:
    """Whether it is pydantic's: something does not fit a class."""
    return isinstance(error, ValueError) and "ValidationError" in class_names(error)


def about_a_call(error: BaseException) -> bool:
    """Whether a check failed over one of the tool calls in a reply."""
    return any(not _CALLS.isdisjoint(detail["loc"]) for detail in _details(error, inputs=False))


def error_refused(error: BaseException) -> object:
    """What a body has under `error` that did not pass a check, where no frame holds the body; None = there is none."""
    held = (detail.get("input") for detail in _details(error, inputs=True))
    return next((told for body in held if isinstance(body, Mapping) and (told := body.get("error"))), None)


def _details(error: BaseException, *, inputs: bool) -> list[dict[str, Any]]:
    tell = read(error, "errors") if is_check(error) else None
    return tell(include_url=False, include_context=False, include_input=inputs) if callable(tell) else []
