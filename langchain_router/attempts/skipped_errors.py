"""Finds the error event in a stream over which a package passes, as ChatMistralAI and ChatNVIDIA do.

They skip what has no choices, so that the stream just ends. What they read last is still in a local variable
of their generator, or of their client's, if a reference to its frame was kept. That is possible from the first piece
on: an error event that is all that ChatMistralAI gets is not found, and its stream counts as cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType, MappingProxyType
from typing import Any

from langchain_core.messages import AIMessage

from capability_router.faults.error_event import ErrorEvent
from capability_router.sdks.streams import frames_below
from langchain_router.messages.replies import finish_of

_READ = ("chunk", "response")
"""The names of that variable."""


_OF_A_CANDIDATE = "safety_ratings"
"""What ChatGoogleGenerativeAI states of each candidate, even if it is an empty list."""


class NoCandidate(RuntimeError):
    """A body without a candidate, of which only an empty message is left. An error in it, and its code, are lost."""

    status_code = 200
    body: Mapping[str, Any] = MappingProxyType({"error": {"type": "server_error"}})

    def __init__(self) -> None:
        super().__init__("no reply in its 200")


class SkippedErrors:
    """Watches one stream."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[FrameType] = []

    def watch(self, pieces: Any) -> None:
        """Keep references to the frames. Called after the first piece, because the inner generators start then."""
        self._frames = self._frames or frames_below(pieces)

    def check(self) -> None:
        """After the last piece: raise ErrorEvent if the package read an error last."""
        frames, self._frames = self._frames, []
        for frame in frames:
            for name in _READ:
                check(frame.f_locals.get(name))


def check(held: Any) -> None:
    """Raise ErrorEvent if what a package read, or keeps beside an empty answer, is an error."""
    if type(held) is dict and (error := _error_in(held)) is not None:
        raise error


def check_candidate(answer: AIMessage) -> None:
    """Raise NoCandidate if ChatGoogleGenerativeAI made an empty message of a body that is no reply."""
    told = answer.response_metadata
    if not answer.content and finish_of(told) is None and _OF_A_CANDIDATE not in told:
        raise NoCandidate


def _error_in(event: dict[str, Any]) -> ErrorEvent | None:
    """The error that it is; None = it is none."""
    if event.get("choices") or not event.get("error"):
        return None
    error = event["error"]
    told = error if isinstance(error, dict) else {}
    code = next((str(told[name]) for name in ("code", "type") if told.get(name)), "")
    return ErrorEvent(code, told.get("message"))
