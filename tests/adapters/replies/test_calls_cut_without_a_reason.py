"""A tool call that breaks off is found also where the model's class gives no terminal reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from adapters.replies.clients import TOOL, search
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    ToolCallBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import BaseModel

from langchain_router import ChatRouter, StreamInterrupted
from llamaindex_router import RouterLLM

WHOLE = ('{"q": ', '"x"}')
CUT = ('{"q": ', '"x')
TOLD = {"tool_calling": True, "structured_output": True}
later = pytest.mark.parametrize("later", [False, True], ids=["stream", "astream"])


class Search(BaseModel):
    """A search."""

    q: str


class Chat(BaseChatModel):
    """A user's own class for LangChain. It streams one call in pieces."""

    pieces: tuple[str, ...]
    name_: str = "search"

    @property
    def _llm_type(self) -> str:
        return "chat"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for i, text in enumerate(self.pieces):
            call = {"name": None if i else self.name_, "args": text, "id": None if i else "c1", "index": 0}
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[call]))

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])


class Own(FunctionCallingLLM):
    """A user's own class for LlamaIndex. It gives no `raw`, and so no reason."""

    pieces: tuple[str, ...]

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True, is_function_calling_model=True, context_window=100_000)

    def _prepare_chat_with_tools(self, tools: Any, **kwargs: Any) -> dict[str, Any]:
        return {"messages": [ChatMessage("hi")]}

    def _said(self, arguments: str) -> ChatResponse:
        block = ToolCallBlock(tool_name="search", tool_kwargs=arguments, tool_call_id="c1")
        return ChatResponse(message=ChatMessage(role="assistant", blocks=[block]), delta="")

    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return self._said("".join(self.pieces))

    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return self.chat(messages)

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[ChatResponse]:  # type: ignore[override]  # as core's
        return (self._said("".join(self.pieces[: i + 1])) for i in range(len(self.pieces)))

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        async def chunks() -> AsyncIterator[ChatResponse]:
            for chunk in self.stream_chat(messages):
                yield chunk

        return chunks()

    def complete(self, *args: Any, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    acomplete = stream_complete = astream_complete = complete


def chains(*models: BaseChatModel) -> ChatRouter:
    return ChatRouter(models=[(model, TOLD) for model in models], policy="single")


def llms(*models: FunctionCallingLLM) -> RouterLLM:
    return RouterLLM(models=[(model, TOLD) for model in models], policy="single")


def streamed(llm: Any, *, later: bool) -> Any:
    async def read() -> Any:
        if isinstance(llm, RouterLLM):
            return [chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "hi")]
        return [chunk async for chunk in llm.bind_tools([search]).astream("hi")]

    if later:
        return asyncio.run(read())
    return list(
        llm.stream_chat_with_tools([TOOL], "hi")
        if isinstance(llm, RouterLLM)
        else llm.bind_tools([search]).stream("hi")
    )


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@later
@pytest.mark.parametrize("make", [lambda pieces: chains(Chat(pieces=pieces)), lambda pieces: llms(Own(pieces=pieces))])
def test_a_stream_that_ends_within_the_arguments_is_told(make: Any, later: bool) -> None:
    llm = make(CUT)
    with pytest.raises(StreamInterrupted, match="malformed tool call"):
        streamed(llm, later=later)
    assert faults(llm) == ["malformed_tool_call"]


@later
@pytest.mark.parametrize("make", [lambda pieces: chains(Chat(pieces=pieces)), lambda pieces: llms(Own(pieces=pieces))])
def test_whole_arguments_need_no_reason(make: Any, later: bool) -> None:
    llm = make(WHOLE)
    assert len(streamed(llm, later=later)) >= len(WHOLE)
    assert faults(llm) == [None]


def test_no_object_is_made_of_arguments_that_break_off() -> None:
    llm = chains(Chat(pieces=CUT, name_="Search"))
    with pytest.raises(StreamInterrupted):
        list(llm.with_structured_output(Search, method="function_calling").stream("hi"))
    assert faults(llm) == ["malformed_tool_call"]


@pytest.mark.parametrize("later", [False, True])
def test_after_a_whole_answer_of_llamaindex_the_next_model_is_tried(later: bool) -> None:
    llm = llms(Own(pieces=CUT), Own(pieces=WHOLE))
    answer = asyncio.run(llm.achat_with_tools([TOOL], "hi")) if later else llm.chat_with_tools([TOOL], "hi")
    assert answer.message.blocks[0].tool_kwargs == "".join(WHOLE)  # type: ignore[union-attr]  # a ToolCallBlock
    assert faults(llm) == ["malformed_tool_call", None]
