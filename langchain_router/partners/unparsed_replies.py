"""Recognises errors of a package's code that mean that the body of a 200 was no reply, by where they were raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from types import FrameType
from typing import Any

from capability_router.endpoints.usage import has_negative_count, usage_from
from capability_router.faults.evidence import loaded_json, read
from capability_router.faults.frames import frames_of, home
from capability_router.faults.kinds import Fault
from capability_router.faults.no_reply import STUMBLES, no_reply
from capability_router.faults.sdk_readers import (
    concerns_tool_call,
    is_validation_error,
    no_reply_kind,
    parsing_frame,
    receiving_frame,
    rejected_error_value,
    unread,
)
from capability_router.json_text import parsed
from capability_router.request import Usage

_READERS = (
    "_create_chat_result", "_format_output", "_convert_chunk_to_generation_chunk",
    "_make_message_chunk_from_anthropic_event", "_construct_lc_result_from_responses_api",
    "_convert_responses_chunk_to_generation_chunk", "_parse_response", "_parse_stream_event",
)  # fmt: skip
"""The packages' functions that get a server's response. They do not get the request."""
_NOT_PACKAGES = ("langchain_core", "langchain_router")
_ASKED = ("_generate", "_agenerate", "_stream", "_astream")
_CAME = frozenset({"response", "data", "chunk"})
"""What makes a call and reads its reply; and what has come of the call, where it has one of these names yet."""
_MESSAGES = ("AIMessage", "AIMessageChunk", "ChatMessage", "ChatMessageChunk")  # the latter two of odd roles
_HELD = ("response_dict", "response", "data", "chunk", "part")
"""Under which names the readers hold it."""
_STUMBLES = (*STUMBLES, UnboundLocalError)
"""The last where code goes on with what it made of each choice, and there was none."""
_CORE, _BESIDE_IT = "langchain_core.language_models.chat_models", "langchain_router.attempts.attempt"
_TAKING = "_whole"
"""Of the router's own attempts, what takes the first generation of a result as core's `invoke` does."""


def stumbled(error: BaseException) -> Fault | None:
    """The fault of a server that sent no reply; None if the error has another cause."""
    frames = frames_of(error)
    if (unparsed := _by_parser(frames, error)) is not None:
        return unparsed
    parsing, received = parsing_frame(frames), receiving_frame(error)
    by_sdk = parsing or received
    over_a_call = _over_a_call(frames, error)
    reader = parsing or next((frame for frame in reversed(frames) if _reads(frame, error, over_a_call)), received)
    if reader is not None and type(error) is ValueError:  # ChatOpenAI raises so what stands under `error`
        return _withheld(reader, error) or no_reply(_error_in(reader) or _first(error), error, _usage_in(reader))
    if reader is not None and (over_a_call or (concerns_tool_call(error) and (by_sdk or _of_message(error)))):
        told = "arguments that are no JSON object"
        return Fault("malformed_tool_call", told, usage=_usage_in(reader), started=True, error=error)
    if reader is not None and (
        isinstance(error, _STUMBLES) or (is_validation_error(error) and (by_sdk or _of_message(error)))
    ):
        return no_reply(_error_in(reader) or rejected_error_value(error), error, _usage_in(reader))
    hollow = isinstance(error, IndexError) and frames and _takes_the_first(frames[-1])
    return no_reply(None, error) if hollow else None  # a result without a single generation


def _by_parser(frames: list[FrameType], error: BaseException) -> Fault | None:
    """The fault if OpenAI's SDK raised while it parsed an answer for a schema or for strict tools."""
    if kind := unread(frames, error):
        return Fault(kind, "no JSON", started=True, error=error)
    kind = no_reply_kind(frames, error)
    if kind == "truncated":
        return Fault(kind, "the stream ended before its first chunk", error=error)
    return no_reply(None, error) if kind else None


def _over_a_call(frames: list[FrameType], error: BaseException) -> bool:
    """Whether a package, or LangChain's own parser, failed to parse the arguments of a tool call: they are no JSON."""
    if not isinstance(error, JSONDecodeError) and not isinstance(error.__cause__, JSONDecodeError):
        return False
    last = next((frame for frame in reversed(frames) if home(frame) != "json"), None)
    return last is not None and home(last).startswith("langchain_") and "tool_call" in last.f_code.co_name


def _takes_the_first(frame: FrameType) -> bool:
    place = frame.f_globals.get("__name__")
    return place == _CORE or (place == _BESIDE_IT and frame.f_code.co_name == _TAKING)


def _reads(frame: FrameType, error: BaseException, over_a_call: bool) -> bool:
    name = frame.f_code.co_name
    if not home(frame).startswith("langchain_") or home(frame) in _NOT_PACKAGES:
        return False
    if over_a_call and frame.f_locals.get("response") is not None:  # a function beside these, as in langchain-ai21
        return True
    return name in _READERS or (name in _ASKED and (_of_message(error) or not _CAME.isdisjoint(frame.f_locals)))


def _of_message(error: BaseException) -> bool:
    """Whether langchain-core could not create a message from the reply. Callers' schemas are not messages."""
    return is_validation_error(error) and read(error, "title") in _MESSAGES


def _withheld(reader: FrameType, error: ValueError) -> Fault | None:
    """The fault if AzureChatOpenAI raised for a filtered answer."""
    if _part(reader.f_locals.get("res"), "finish_reason") != "content_filter":
        return None
    told = "finish reason content_filter"
    return Fault("content_filtered", told, usage=_usage_in(reader), answered=True, error=error)


def _bodies(reader: FrameType) -> Iterator[Any]:
    """The bodies that the server sent; an event of OpenAI's Responses API before the response inside it."""
    for name in _HELD:
        held = reader.f_locals.get(name)
        held = _parsed(held) if isinstance(held, str) else loaded_json(held) or held
        if held is not None:
            yield from (held, _part(held, "response"))


def _parsed(text: str) -> Any:
    try:
        return parsed(text)
    except ValueError:
        return None


def _error_in(reader: FrameType) -> object:
    """The body's `error`, as JSON; an event of OpenAI's Responses API may itself be one."""
    for body in _bodies(reader):
        told = body if _part(body, "type") == "error" and _part(body, "message") else _part(body, "error")
        if told:
            return told if isinstance(told, str) else _dumped(told)
    return None


def _usage_in(reader: FrameType) -> Usage | None:
    """The tokens that the body reports in Chat Completions form."""
    for body in _bodies(reader):
        told = _dumped(_part(body, "usage"))
        if told and "prompt_tokens" in told and not has_negative_count(told):
            return usage_from(told)
    return None


def _dumped(told: object) -> dict[str, Any] | None:
    """A part of a body as a dict; the SDK may have converted it to an object."""
    dump = getattr(told, "model_dump", None)
    plain = dump(warnings=False) if callable(dump) else told
    return dict(plain) if isinstance(plain, Mapping) else None


def _part(held: object, key: str) -> Any:
    return held.get(key) if isinstance(held, Mapping) else read(held, key)


def _first(error: BaseException) -> object:
    return error.args[0] if error.args else None
