"""Error events over which packages pass: ChatMistralAI itself, and what ChatNVIDIA 1.5 does, over one of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_mistralai import ChatMistralAI
from loopback.chat_server import ChatServer, piece, sse

from langchain_router import ChatRouter, StreamInterrupted

CLOSE = ["connection: close"]  # event loops end with their test
BUSY = {"error": {"message": "busy", "type": "overloaded_error", "code": "overloaded"}}


def _routed(model: Any) -> ChatRouter:
    models = [(model, {"id": "a"}), (Scripted(script=["good"], name_="other"), {"id": "b"})]
    return ChatRouter(models=models, policy="single", retry={"attempts": 2})


def _faults(llm: ChatRouter) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


def _read(llm: ChatRouter, later: bool) -> str:
    async def read() -> str:
        return "".join([str(chunk.content) async for chunk in llm.astream("hi")])

    return asyncio.run(read()) if later else "".join(str(chunk.content) for chunk in llm.stream("hi"))


@pytest.mark.parametrize("later", [False, True], ids=["stream", "astream"])
def test_an_event_in_a_stream_of_mistral_before_any_text(later: bool) -> None:
    with ChatServer(sse(piece("", role="assistant"), BUSY, end="clean", headers=CLOSE)) as server:
        llm = _routed(ChatMistralAI(model="m", api_key="k", base_url=server.base_url))
        assert _read(llm, later) == "good"
    assert _faults(llm) == ["overloaded", None]


@pytest.mark.parametrize("later", [False, True], ids=["stream", "astream"])
def test_an_event_in_a_stream_of_mistral_after_text(later: bool) -> None:
    with ChatServer(sse(piece("half", role="assistant"), BUSY, end="clean", headers=CLOSE)) as server:
        llm = _routed(ChatMistralAI(model="m", api_key="k", base_url=server.base_url))
        with pytest.raises(StreamInterrupted) as caught:
            _read(llm, later)
    assert caught.value.partial == "half"
    assert _faults(llm) == ["overloaded"]


class Passing(Scripted):
    """Gives what it reads without its error, which a whole answer keeps among its metadata."""

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", response_metadata=dict(BUSY)))])

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for _response in ({"content": ""}, {"content": "", **BUSY}):
            response = _response
            yield ChatGenerationChunk(message=AIMessageChunk(response["content"]))


def _nvidia() -> ChatRouter:
    kind = type("ChatNVIDIA", (Passing,), {"__module__": "langchain_nvidia_ai_endpoints.chat_models"})
    return _routed(kind(script=[]))


def test_an_error_in_place_of_a_whole_answer() -> None:
    llm = _nvidia()
    assert llm.invoke("hi").content == "good"
    assert asyncio.run(llm.ainvoke("hi")).content == "good"
    assert _faults(llm)[:2] == ["overloaded", None]


def test_an_error_in_place_of_a_stream() -> None:
    llm = _nvidia()
    assert _read(llm, later=False) == "good"
    assert _faults(llm) == ["overloaded", None]
