"""The router's errors, and which of LlamaIndex's errors are a provider's fault.

LlamaIndex has no error classes for models: what a candidate raises is its SDK's, and after a failed
request the first one is the `__cause__` of AllCandidatesFailed.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from pydantic import ValidationError

from capability_router.errors import (
    AllCandidatesFailed,
    BudgetExceeded,
    ConfigError,
    NoEligibleModel,
    RouterBusy,
    RouterError,
    StreamInterrupted,
)
from capability_router.faults.kinds import Fault

__all__ = [
    "AllCandidatesFailed",
    "BudgetExceeded",
    "ConfigError",
    "NoEligibleModel",
    "RouterBusy",
    "RouterError",
    "StreamInterrupted",
    "fault_of",
]

_HANDLER_ENTRIES = ("on_event_start", "on_event_end", "start_trace", "end_trace")
_UNSENDABLE = "Unsupported content block type"


def fault_of(error: BaseException, *, structured: bool = False) -> Fault | None:
    """What a candidate's exception means; None = it is no provider's fault and passes to the caller.

    None for what a callback handler raised (a token budget, say: the answer was there and paid for)
    and for programming errors that carry no HTTP status.
    """
    from capability_router.faults import classify, is_programming_error, passes_through

    if passes_through(error) or raised_by_handler(error):
        return None
    if isinstance(error, ValueError) and _UNSENDABLE in str(error):
        return Fault("unsupported", detail="its integration can't send a kind of content in this request", error=error)
    if structured and _misparsed(error):
        return Fault("unparsable", detail=type(error).__name__, error=error)
    return None if is_programming_error(error) else classify(error)


def raised_by_handler(error: BaseException) -> bool:
    """Whether a legacy callback handler raised it, seen by the frames it came through."""
    return any(module == _MANAGER and name in _HANDLER_ENTRIES for module, name in _frames(error))


_MANAGER = "llama_index.core.callbacks.base"
_PARSERS = ("llama_index.core.program", "llama_index.core.output_parsers", "llama_index.core.llms.llm")


def _misparsed(error: BaseException) -> bool:
    """Whether an answer was there and didn't fit the schema: a validation error, or one of a parser's own."""
    own = isinstance(error, (ValueError, TypeError, AssertionError)) and getattr(error, "status_code", None) is None
    if not own:
        return False
    return isinstance(error, ValidationError) or any(module.startswith(_PARSERS) for module, _ in _frames(error))


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        yield str(frame.f_globals.get("__name__")), frame.f_code.co_name
        trace = trace.tb_next
