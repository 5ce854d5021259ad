"""Models of both frameworks that follow a script, without any network: the routers over them are the real ones.

Steps, one per call, the last repeats: "ok", "cut:2" (the connection is lost after two texts), "stop:2" (ends
cleanly after two, without a terminal reason), or an HTTP status such as "500". Every async step yields to the
event loop once, so that there is a point at which to be cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms import CustomLLM
from pydantic import Field

PIECES = 3
USED = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}


class FakeHttpError(Exception):
    """What an SDK raises for an HTTP error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Error code: {status}")
        self.status_code = status


def home(name: str) -> str:
    """A base URL of its own, lest the models fail together in the router's eyes. Nothing is called there."""
    return f"http://{name}.invalid/v1"


class Steps:
    """A script and how far it has come."""

    def __init__(self, steps: Sequence[str] = ("ok",)) -> None:
        self.steps, self.calls = list(steps), 0

    def begin(self) -> Ending:
        """The next call's ending."""
        word = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        if word.isdigit():
            raise FakeHttpError(int(word))
        return Ending(word)


class Ending:
    """How many texts a call gives, and how it ends."""

    def __init__(self, word: str) -> None:
        kind, _, count = word.partition(":")
        self.pieces = int(count) if count else PIECES
        self.cut, self.whole = kind == "cut", kind == "ok"

    def check(self) -> None:
        if self.cut:
            raise ConnectionError("reset by peer")


class FakeChat(BaseChatModel):
    """A LangChain chat model."""

    name_: str
    base_url: str = ""
    steps: Any = Field(default_factory=Steps)

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "fake", "ls_model_name": self.name_, "ls_model_type": "chat"}

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        ending = self.steps.begin()
        ending.check()
        told = {"finish_reason": "stop"} if ending.whole else {}
        message = AIMessage(self._text(ending.pieces), usage_metadata=dict(USED), response_metadata=told)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return self._generate(messages, stop)

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        ending = self.steps.begin()
        for _ in range(ending.pieces):
            yield ChatGenerationChunk(message=AIMessageChunk(self._text(1)))
        ending.check()
        told = {"finish_reason": "stop"} if ending.whole else {}
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=dict(USED), response_metadata=told))

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:  # fmt: skip
        for chunk in self._stream(messages, stop):
            await asyncio.sleep(0)
            yield chunk

    def _text(self, pieces: int) -> str:
        return f"{self.name_} " * pieces


class FakeLLM(CustomLLM):
    """A LlamaIndex LLM."""

    name_: str
    api_base: str = ""
    steps: Any = Field(default_factory=Steps)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name=self.name_, is_chat_model=True, context_window=16_000)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        ending = self.steps.begin()
        ending.check()
        return CompletionResponse(text=self._text(ending.pieces), raw=_raw(self.name_, ending.whole))

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        await asyncio.sleep(0)
        return self.complete(prompt)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:  # type: ignore[override]  # a generator is one
        ending = self.steps.begin()
        for n in range(1, ending.pieces + 1):
            yield CompletionResponse(text=self._text(n), delta=self._text(1), raw=_raw(self.name_, False))
        ending.check()
        if ending.whole:
            yield CompletionResponse(text=self._text(ending.pieces), delta="", raw=_raw(self.name_, True))

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return _slowly(self.stream_complete(prompt))

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return _chatted(self.complete(""))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return _chatted(await self.acomplete(""))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return (_chatted(chunk) for chunk in self.stream_complete(""))

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return _slowly(self.stream_chat(messages))

    def _text(self, pieces: int) -> str:
        return f"{self.name_} " * pieces


def _raw(model: str, whole: bool) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop" if whole else None}
    usage = {"usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}} if whole else {}
    return {"model": model, "choices": [choice], **usage}


def _chatted(said: CompletionResponse) -> ChatResponse:
    return ChatResponse(message=ChatMessage(role="assistant", content=said.text), delta=said.delta, raw=said.raw)


async def _slowly(chunks: Iterator[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk
