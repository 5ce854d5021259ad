"""Which of a package's own errors mean that the body of a 200 was no reply, told by where they were raised."""

from __future__ import annotations

from traceback import walk_tb
from types import FrameType

from capability_router.endpoints.usage import impossible, usage_from
from capability_router.faults.kinds import Fault
from capability_router.faults.no_reply import STUMBLES, no_reply
from capability_router.request import Usage

_READERS = (
    "_create_chat_result", "_format_output", "_convert_chunk_to_generation_chunk",
    "_make_message_chunk_from_anthropic_event",
)  # fmt: skip
"""The functions of the packages that are handed what a server sent. They see nothing of the request."""
_CORE, _BESIDE_IT = "langchain_core.language_models.chat_models", "langchain_router.attempts.attempt"
_ASKING = ("_asked", "_aheard", "_whole")
"""Of the router's own attempts, what takes the first generation of a result as core's `invoke` does."""


def stumbled(error: BaseException) -> Fault | None:
    """The fault of a server that sent no reply; None if the error came from anything else."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    reader = next((frame for frame in frames if _reads(frame)), None)
    if reader is not None and type(error) is ValueError:  # ChatOpenAI raises so what stands under `error`
        return no_reply(error.args[0] if error.args else None, error)
    if not isinstance(error, STUMBLES):
        return None
    if reader is not None:
        return no_reply(_error_in(reader), error, _usage_in(reader))
    hollow = isinstance(error, IndexError) and frames and _takes_the_first(frames[-1])
    return no_reply(None, error) if hollow else None  # a result without a single generation


def _takes_the_first(frame: FrameType) -> bool:
    place = frame.f_globals.get("__name__")
    return place == _CORE or (place == _BESIDE_IT and frame.f_code.co_name in _ASKING)


def _reads(frame: FrameType) -> bool:
    return frame.f_code.co_name in _READERS and str(frame.f_globals.get("__name__")).startswith("langchain_")


def _usage_in(reader: FrameType) -> Usage | None:
    """The tokens in a body that ChatOpenAI has as a dict."""
    body = reader.f_locals.get("response_dict")
    told = body.get("usage") if isinstance(body, dict) else None
    return usage_from(told) if isinstance(told, dict) and not impossible(told) else None


def _error_in(frame: FrameType) -> object:
    """What the body has under `error`: ChatAnthropic's client keeps it beside its fields."""
    found = (getattr(frame.f_locals.get(name), "error", None) for name in ("data", "response"))
    return next((told for told in found if told), None)
