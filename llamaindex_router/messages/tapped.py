"""What is heard of the calls beneath a structured one: their responses, how they ended, whether a model refused."""

from __future__ import annotations

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
from llamaindex_router.messages.tool_calls import tool_calls_of
from llamaindex_router.messages.usage import finish_of, refuses
from llamaindex_router.messages.wording import Response, Wording

_UNDER_WAY = (LLMChatInProgressEvent, LLMCompletionInProgressEvent)
_OVER = (LLMChatEndEvent, LLMCompletionEndEvent)


class Tapped:
    """`responses` are those with which calls ended. Of a stream that is the last chunk, in which no refusal stands.

    `latest`: the last chunk of a stream, be it whole or cut; None = nothing was streamed. `finish`: the terminal reason
    of that stream, which often stands in an earlier chunk. `text`: its text so far.
    """

    __slots__ = ("_wording", "finish", "latest", "refused", "responses")

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.latest: Response | None = None
        self.finish: Finish | None = None
        self.refused = False
        self._wording = Wording()

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
    def whole(self) -> bool | None:
        """Whether what was streamed is all of an object's JSON; None = that can't be told, only that it is none begun.

        Some integrations give a call's arguments as a mapping, which they have repaired already.
        """
        calls = tool_calls_of(self.latest.message) if isinstance(self.latest, ChatResponse) else []
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
