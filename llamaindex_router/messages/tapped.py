"""What is heard of the calls beneath a structured one: the whole responses, and whether a model refused on the way."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatInProgressEvent, LLMCompletionEndEvent

from llamaindex_router.messages.usage import refuses
from llamaindex_router.messages.wording import Response


class Tapped:
    """`responses` are those with which calls ended. Of a stream that is the last chunk, in which no refusal stands."""

    __slots__ = ("refused", "responses")

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.refused = False

    def hear(self, event: Any) -> None:
        """Take in an event of LlamaIndex's instrumentation."""
        if isinstance(event, LLMChatInProgressEvent):
            self.refused = self.refused or refuses(event.response.raw)
        elif isinstance(event, (LLMChatEndEvent, LLMCompletionEndEvent)) and event.response:
            self.responses.append(event.response)
