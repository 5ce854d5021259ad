"""Chat models that answer at once. They know langchain-core alone: peers are measured over them, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

CHUNKS = 100
USED: Any = {"input_tokens": 20, "output_tokens": 8, "total_tokens": 28}


class Parrot(BaseChatModel):
    """Has no stream."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        message = AIMessage("Paris.", usage_metadata=dict(USED), response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        return self._generate(messages)


class StreamingParrot(Parrot):
    """Its stream has 100 chunks, the last with usage and terminal reason."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        for _ in range(CHUNKS - 1):
            yield ChatGenerationChunk(message=AIMessageChunk("Paris "))
        told = {"finish_reason": "stop"}
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=dict(USED), response_metadata=told))

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for chunk in self._stream(messages):
            yield chunk
