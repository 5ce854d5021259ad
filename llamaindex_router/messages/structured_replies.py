"""Collects the LLM's own responses during a structured call, from LlamaIndex's events."""

from __future__ import annotations

import json
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
)

from capability_router.json_text import parsed
from capability_router.request import Finish
from llamaindex_router.messages.stream_text import Response, StreamText
from llamaindex_router.messages.tool_calls import ParsedToolCall, tool_calls_of
from llamaindex_router.messages.usage import finish_of, refuses

_UNDER_WAY = (LLMChatInProgressEvent, LLMCompletionInProgressEvent)
_OVER = (LLMChatEndEvent, LLMCompletionEndEvent)


class CapturedResponses:
    """`responses`: the final responses of the calls; for a stream its last chunk, which contains no refusal.

    `latest`: the last chunk so far of a stream; None = nothing was streamed. `finish`: the terminal reason of that
    stream, which is often in an earlier chunk. `text`: its text so far.
    """

    __slots__ = ("_wording", "finish", "latest", "refused", "responses")

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.latest: Response | None = None
        self.finish: Finish | None = None
        self.refused = False
        self._wording = StreamText()

    def hear(self, event: Any) -> None:
        """Take in an event of LlamaIndex's instrumentation."""
        if isinstance(event, _UNDER_WAY):
            self._step(event.response)
        elif isinstance(event, _OVER) and event.response:
            self.responses.append(event.response)

    def _step(self, chunk: Response) -> None:
        self.latest = chunk
        self.refused = self.refused or refuses(chunk.raw)
        told = [chunk.additional_kwargs or {}]
        if isinstance(chunk, ChatResponse):
            told.append(chunk.message.additional_kwargs)
        self.finish = finish_of(chunk.raw, *told) or self.finish
        self._wording.take(chunk)

    @property
    def text(self) -> str:
        """The text of the stream so far."""
        return self._wording.text

    @property
    def arguments(self) -> str:
        """The arguments of the stream's tool calls so far, as JSON."""
        told = [call.arguments for call in self._calls if call.arguments]
        return "".join(held if isinstance(held, str) else json.dumps(held, default=str) for held in told)

    @property
    def _calls(self) -> list[ParsedToolCall]:
        return tool_calls_of(self.latest.message) if isinstance(self.latest, ChatResponse) else []

    @property
    def whole(self) -> bool | None:
        """Whether the stream contains an object's complete JSON; None = unknown.

        It is unknown for a text that is not JSON, and if an integration gives a call's arguments as a mapping, which it
        may have repaired.
        """
        calls = self._calls
        if calls and any(not isinstance(call.arguments, str) for call in calls):
            return False if self.finish is Finish.LENGTH else None
        if calls:
            return not any(call.malformed for call in calls)
        return _parses(self.text) if self.text.lstrip().startswith(("{", "[")) else None


def _parses(text: str) -> bool:
    try:
        parsed(text)
    except ValueError:
        return False
    return True
