"""The functions in which SDKs parse a server's reply: an error raised there is about the reply, not the request.

If an SDK expects an object and gets a list or a number, it raises a TypeError, an AttributeError or a validation error,
as it would for a wrong argument. Only the functions that it came through tell the two apart: by what they hold, or, of
some SDKs, by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType
from typing import Any

from capability_router.faults.evidence import class_names, read
from capability_router.faults.frames import frames_of, home
from capability_router.faults.no_reply import STUMBLES
from capability_router.faults.omitted_responses import received

_READERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ollama", "inner"): ("line",), ("ollama", "_request"): (), ("openrouter", "_parse_event"): (),
    ("huggingface_hub", "parse_obj_as_instance"): (),
    ("huggingface_hub", "_format_chat_completion_stream_output"): (),
    ("cohere", "construct_type"): (), ("botocore", "_do_parse"): (),
    ("google", "_generate_content"): ("response_dict",), ("google", "_generate_content_stream"): ("response_dict",),
    ("google", "async_generator"): ("response_dict", "chunk"), ("google", "request_streamed"): ("chunk",),
}  # fmt: skip
"""(package, function) -> its variables, one of which is set once something was received; () = always."""
_SENDING = frozenset({"_request_raw"})
"""A function that sends the request; a reader calls it."""
_OF_CALLS, _OF_STREAMS = "parse_function_tool_arguments", "_accumulate_chunk"
"""Where OpenAI's SDK parses a model's output: the arguments of tool calls, and all of it when it merges a stream."""
_TOOL_CHUNK = "tool_call_chunk"
"""A variable of the latter that is set once it merges tool calls."""
_PARSERS = {
    "parse_chat_completion": "server_error", "parse_response": "server_error",
    "current_completion_snapshot": "truncated",  # it asserts that the stream had a chunk
}  # fmt: skip
"""OpenAI's functions that read a whole reply -> the kind of fault if they fail. They call others to parse texts."""
_CALLS = frozenset({"tool_calls", "functionCall", "function_call"})


def parsing_frame(frames: list[FrameType]) -> FrameType | None:
    """The frame of an SDK's function that was parsing a reply; None if there is none."""
    if any(frame.f_code.co_name in _SENDING for frame in frames):
        return None
    return next((frame for frame in reversed(frames) if _reads(frame)), None)


def receiving_frame(error: BaseException) -> FrameType | None:
    """The frame of any SDK's function that held a successful response when the SDK's code failed on it; else None."""
    if isinstance(error, STUMBLES) or (is_validation_error(error) and _of_sdk(error)):
        return received(error)
    return None


def _of_sdk(error: BaseException) -> bool:
    """Whether the class that a reply did not fit belongs to the SDK that validated it, and not to the caller."""
    title = str(read(error, "title"))
    return any(_owns(frame, title) for frame in frames_of(error))


def _owns(frame: FrameType, title: str) -> bool:
    known = (*frame.f_locals.values(), frame.f_globals.get(title))
    classes = (kind for kind in known if isinstance(kind, type) and kind.__name__ == title)
    return any(str(kind.__module__).partition(".")[0] == home(frame) for kind in classes)


def _reads(frame: FrameType) -> bool:
    came = _READERS.get((home(frame), frame.f_code.co_name))
    return came is not None and (not came or not frame.f_locals.keys().isdisjoint(came))


def unread(frames: list[FrameType], error: BaseException) -> str:
    """The kind of fault if OpenAI's SDK raised while it parsed the model's output; else "".

    It parses texts by a schema and the arguments of strict tools, both while it merges a stream and at the end.
    """
    if not isinstance(error, ValueError):
        return ""
    last = next((frame for frame in reversed(frames) if _parses(frame)), None)
    if last is None:
        return ""
    if last.f_code.co_name == _OF_CALLS:
        return "malformed_tool_call"
    bare = type(error) is ValueError and last is frames[-1]  # raised by a parser that has no Python frame
    return ("malformed_tool_call" if _TOOL_CHUNK in last.f_locals else "unparsable") if bare else ""


def no_reply_kind(frames: list[FrameType], error: BaseException) -> str:
    """The kind of fault if OpenAI's SDK raised because the body it had to parse is no reply; else ""."""
    last = frames[-1] if frames else None
    if last is None or home(last) != "openai":
        return ""
    return "" if not isinstance(error, (*STUMBLES, AssertionError)) else _PARSERS.get(last.f_code.co_name, "")


def _parses(frame: FrameType) -> bool:
    return frame.f_code.co_name in (_OF_CALLS, _OF_STREAMS) and home(frame) == "openai"


def is_validation_error(error: BaseException) -> bool:
    """Whether it is pydantic's ValidationError."""
    return isinstance(error, ValueError) and "ValidationError" in class_names(error)


def concerns_tool_call(error: BaseException) -> bool:
    """Whether the ValidationError is about a tool call in the reply."""
    return any(not _CALLS.isdisjoint(detail["loc"]) for detail in _details(error, inputs=False))


def rejected_error_value(error: BaseException) -> object:
    """The value under `error` in a body that failed validation, if no frame holds the body; None = there is none."""
    held = (detail.get("input") for detail in _details(error, inputs=True))
    return next((told for body in held if isinstance(body, Mapping) and (told := body.get("error"))), None)


def _details(error: BaseException, *, inputs: bool) -> list[dict[str, Any]]:
    tell = read(error, "errors") if is_validation_error(error) else None
    return tell(include_url=False, include_context=False, include_input=inputs) if callable(tell) else []
