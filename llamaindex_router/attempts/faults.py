"""Decides which errors of a LlamaIndex LLM are faults of the provider, and which are raised to the caller.

LlamaIndex has no error classes for models. A candidate raises its SDK's errors; the first one is the `__cause__` of
AllCandidatesFailed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from json import JSONDecodeError
from traceback import walk_tb
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from capability_router.faults.kinds import Fault
from capability_router.request import Finish
from capability_router.routing import TERMS, routing_hint
from llamaindex_router.errors import AnswerWithheld, CutShort
from llamaindex_router.messages.usage import finish_word
from llamaindex_router.unparsed_replies import unparsed_reply_fault

_HANDLER_ENTRIES = ("on_event_start", "on_event_end", "start_trace", "end_trace")
_UNSENDABLE = ("Unsupported content block type", "Unsupported block type")
_SYNC_ONLY_OUTSIDE = "asyncio.run() cannot be called from a running event loop"
_ENDED_EARLY = "Response was terminated early: "  # GoogleGenAI's, before the provider's own word
_UNREACHED = "Failed to connect to Ollama"
_HOLLOW = (
    "No generation chunks were returned", "No data received from Ollama stream",  # LangChain's
    "1 validation error for LLMCompletionEndEvent\nresponse",  # LlamaIndex' own, of a completion without a chunk
)  # fmt: skip
_UNBEGUN = "the stream ended before its first chunk"
_NOTHING = "Response has no candidates"  # GoogleGenAI's, for a prompt that was blocked, and for a body that is no reply


def fault_of(error: BaseException, *, structured: bool = False) -> Fault | None:
    """A candidate's exception as a fault; None = it is not the provider's and is raised to the caller.

    None for exceptions of callback handlers (such as a token budget: the answer was there and paid for), and for
    programming errors without an HTTP status.
    """
    from capability_router.faults import classify, is_programming_error
    from capability_router.faults.key_errors import key_fault
    from capability_router.faults.nested_routers import nested_router_fault

    inner = nested_router_fault(error) or key_fault(error)
    if inner is not None:
        return inner
    if passes(error):
        return None
    if isinstance(error, CutShort) or _without_objects(error):
        return Fault("truncated", detail=str(error) if isinstance(error, CutShort) else _UNBEGUN, error=error)
    if isinstance(error, AnswerWithheld):  # a refusal is useless where an object is wanted, so others are tried
        return Fault("content_filtered" if error.filtered else "unparsable", detail=str(error), error=error)
    told = _told_by_integration(error) or unparsed_reply_fault(error)
    if told is not None:
        return told
    if structured and _names_no_tool(error):
        return Fault("malformed_tool_call", detail="a call of a tool that was not offered", error=error)
    if structured and is_schema_mismatch(error):
        return Fault("unparsable", detail=type(error).__name__, answered=True, error=error)
    return None if is_programming_error(error) else classify(error)


def stumbled(error: BaseException, keywords: Collection[str]) -> Fault | None:
    """The fault of a bug in a model's package, or of a keyword that it doesn't know; None = something else."""
    from capability_router.faults import is_programming_error
    from capability_router.faults.caller_errors import mistake

    if passes(error) or not is_programming_error(error):
        return None
    return Fault("unsupported", detail=mistake(error, keywords, _of_router), error=error)


def passes(error: BaseException) -> bool:
    """Whether it comes from the caller: an interrupt, or an error of a callback handler."""
    from capability_router.faults import passes_through

    return passes_through(error) or raised_by_handler(error)


def _of_router(name: str) -> str:
    return f" ({routing_hint(name)}, if the router is meant)" if name in TERMS else ""


def _told_by_integration(error: BaseException) -> Fault | None:
    """The fault by the text of an exception, for integrations that raise general classes."""
    text = str(error) if isinstance(error, (ValueError, RuntimeError, ConnectionError)) else ""
    if text.startswith(_UNREACHED):
        return Fault("connection", detail="nothing listens there", sent=False, error=error)
    if text.startswith(_UNSENDABLE):
        return Fault("unsupported", detail="its integration can't send a kind of content in this request", error=error)
    if text.startswith(_SYNC_ONLY_OUTSIDE):
        return Fault("unsupported", detail="its sync methods can't be called while an event loop runs", error=error)
    if text.startswith(_HOLLOW):
        return Fault("truncated", detail=_UNBEGUN, error=error)
    if text.startswith(_NOTHING):
        return _of_no_candidates(error)
    if text.startswith(_ENDED_EARLY):
        word = text.removeprefix(_ENDED_EARLY).partition(" ")[0]
        kind = _ENDS.get(finish_word(word) or Finish.OTHER, "empty")
        return Fault(kind, detail=f"finish reason {word}", answered=kind in _ANSWERS, error=error)
    return None


def _of_no_candidates(error: BaseException) -> Fault:
    """The fault of a reply without candidates: a blocked prompt if the reply says so, else it is no reply at all."""
    from capability_router.faults.no_reply import no_reply

    for frame, _ in walk_tb(error.__traceback__):
        response: Any = frame.f_locals.get("response")
        if hasattr(response, "prompt_feedback"):
            if response.prompt_feedback is None:
                return no_reply(None, error)
            break
    return Fault("content_filtered", detail="no candidates", error=error)


_ENDS = {
    Finish.CONTENT_FILTER: "content_filtered", Finish.LENGTH: "length", Finish.MALFORMED_CALL: "malformed_tool_call",
}  # fmt: skip
_ANSWERS = ("content_filtered", "length")


def raised_by_handler(error: BaseException) -> bool:
    """Whether a legacy callback handler raised it, by the frames of its traceback."""
    return any(module == _MANAGER and name in _HANDLER_ENTRIES for module, name in _frames(error))


def note_terms(error: BaseException, keywords: Iterable[str]) -> None:
    """Add a note to the TypeError for an unknown keyword that is a routing term: how to set it."""
    told = str(error) if isinstance(error, TypeError) else ""
    for name in keywords:
        if name in TERMS and f"'{name}'" in told:
            error.add_note(f"if the router is meant: {routing_hint(name)}")


_MANAGER = "llama_index.core.callbacks.base"
_PARSERS = ("llama_index.core.program", "llama_index.core.output_parsers", "llama_index.core.llms.llm")


def _names_no_tool(error: BaseException) -> bool:
    """Whether LlamaIndex found no tool with the name in a tool call."""
    *_, last = ("", ""), *_frames(error)
    return isinstance(error, KeyError) and last in _LOOKS_UP


_LOOKS_UP = [("llama_index.core.tools.calling", f"{a}call_tool_with_selection") for a in ("", "a")]


def _without_objects(error: BaseException) -> bool:
    """Whether LlamaIndex failed because a stream of objects contained none."""
    *_, (module, _) = ("", ""), *_frames(error)
    return isinstance(error, UnboundLocalError) and module == "llama_index.core.llms.llm"


def is_schema_mismatch(error: BaseException) -> bool:
    """Whether an answer did not fit the schema: a validation error, or a parser's error."""
    own = isinstance(error, (ValueError, TypeError, AssertionError)) and getattr(error, "status_code", None) is None
    if not own or _garbled(error) or (isinstance(error, TypeError) and _over_a_call(error)):
        return False
    return isinstance(error, ValidationError) or any(module.startswith(_PARSERS) for module, _ in _frames(error))


def _over_a_call(error: BaseException) -> bool:
    """Whether the integration's or SDK's own code failed during the call, for example on an unknown keyword."""
    frames = list(_frames(error))
    parsing = max((at for at, (module, _) in enumerate(frames) if module.startswith(_PARSERS)), default=-1)
    below = frames[parsing + 1 :]
    return any(module.startswith(_INTEGRATIONS) and name != _READS_CALLS for module, name in below)


def _garbled(error: BaseException) -> bool:
    """Whether the JSON error is about the server's response, read by its SDK, and not about the answer's text."""
    if not isinstance(error, (JSONDecodeError, UnicodeDecodeError)):
        return False
    modules = [module for module, _ in _frames(error) if not module.startswith(_READERS)]
    sent = max((at for at, module in enumerate(modules) if module.startswith(_INTEGRATIONS)), default=len(modules))
    return any(not module.startswith("llama_index") for module in modules[sent:])


_INTEGRATIONS = "llama_index.llms."
_READS_CALLS = "get_tool_calls_from_response"
_READERS = ("json", "codecs", "encodings")


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        yield str(frame.f_globals.get("__name__")), frame.f_code.co_name
        trace = trace.tb_next
