"""The context of an attempt while its LLM runs: tags for tracing, the channel, the listener of a structured call."""

from __future__ import annotations

from contextvars import Token
from typing import Any

from capability_router.execution.effects import Launch
from llamaindex_router.messages.structured_replies import CapturedResponses
from llamaindex_router.side_channel import SideChannel, Taken, left, taken
from llamaindex_router.tracing import tagged, tags_of, tapped, untagged, untapped


class AttemptContext:
    """A context manager for each step of an attempt, such as each chunk. It is never open during a yield."""

    __slots__ = ("_channel", "_sink", "_tagged", "_tags", "_taken", "_tapped")

    def __init__(self, launch: Launch, channel: SideChannel, sink: CapturedResponses | None) -> None:
        self._tags, self._channel, self._sink = tags_of(launch), channel, sink
        self._tagged: Token[dict[str, Any]]
        self._taken: Taken
        self._tapped: Token[CapturedResponses | None] | None

    def __enter__(self) -> None:
        self._tagged, self._taken = tagged(self._tags), taken(self._channel)
        self._tapped = None if self._sink is None else tapped(self._sink)

    def __exit__(self, *_: object) -> None:
        if self._tapped is not None:
            untapped(self._tapped)
        left(self._taken)
        untagged(self._tagged)
