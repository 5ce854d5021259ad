"""Streams that end without a terminal reason, over the built-in client's two faces, given as objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from loopback import chat_server
from loopback.chat_server import ChatServer, piece

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM, StreamInterrupted

sse = partial(chat_server.sse, headers=["connection: close"])  # event loops end with their test
WORDS = (piece("", role="assistant"), piece("Alpha "), piece("beta "))
CALL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "search", "arguments": ""}}
HALF = {"index": 0, "function": {"arguments": '{"q":'}}
HELLO = [ChatMessage("hi")]


def search(q: str) -> str:
    """Search."""
    return q


TOOL = FunctionTool.from_defaults(search)


def llamaindex(*servers: ChatServer) -> RouterLLM:
    models = [
        (EndpointLLM(base_url=s.base_url, model="m", api_key="k"), {"id": id})
        for id, s in zip("ab", servers, strict=False)
    ]
    return RouterLLM(models=models, policy="single")


def langchain(*servers: ChatServer) -> ChatRouter:
    models = [
        ChatEndpoint(base_url=s.base_url, model="m", api_key="k", id=id) for id, s in zip("ab", servers, strict=False)
    ]
    return ChatRouter(models=models, policy="single")


def read(llm: Any) -> Any:
    return list(llm.stream_chat(HELLO) if isinstance(llm, RouterLLM) else llm.stream("hi"))


def later(llm: Any) -> Any:
    async def read() -> Any:
        stream = await llm.astream_chat(HELLO) if isinstance(llm, RouterLLM) else llm.astream("hi")
        return [chunk async for chunk in stream]

    return asyncio.run(read())


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@pytest.mark.parametrize("read", [read, later])
@pytest.mark.parametrize("make", [llamaindex, langchain])
@pytest.mark.parametrize("more", [(), (b"<html>502 Bad gateway</html>\n\n",)], ids=["clean", "html"])
def test_no_answer_is_told_as_such(read: Callable[[Any], Any], make: Any, more: Any) -> None:
    with ChatServer(sse(*WORDS, *more, end="clean")) as cut:
        llm = make(cut)
        with pytest.raises(StreamInterrupted) as told:
            read(llm)
        assert told.value.partial == "Alpha beta "
        assert faults(llm) == ["truncated"]


@pytest.mark.parametrize("read", [read, later])
@pytest.mark.parametrize("make", [llamaindex, langchain])
def test_done_alone_is_no_end_of_a_server_that_has_given_a_reason(read: Callable[[Any], Any], make: Any) -> None:
    with ChatServer(sse(*WORDS, piece("", "stop")), sse(*WORDS)) as server:
        llm = make(server)
        read(llm)
        with pytest.raises(StreamInterrupted) as told:
            read(llm)
        assert told.value.partial == "Alpha beta "
        assert faults(llm) == [None, "truncated"]


@pytest.mark.parametrize("read", [read, later])
@pytest.mark.parametrize("make", [llamaindex, langchain])
def test_done_alone_is_the_end_of_a_server_that_never_gives_a_reason(read: Callable[[Any], Any], make: Any) -> None:
    with ChatServer(sse(*WORDS), sse(*WORDS), sse(*WORDS, end="clean")) as server:
        llm = make(server)
        for _ in range(2):
            said = [chunk.delta or "" if make is llamaindex else chunk.text for chunk in read(llm)]
            assert "".join(said) == "Alpha beta "
        with pytest.raises(StreamInterrupted):
            read(llm)
        assert faults(llm) == [None, None, "truncated"]


def test_done_without_a_word_is_no_answer() -> None:
    with ChatServer(sse(piece("", role="assistant"))) as nothing, ChatServer(sse(*WORDS)) as well:
        llm = langchain(nothing, well)
        assert "".join(chunk.text for chunk in llm.stream("hi")) == "Alpha beta "
        assert faults(llm) == ["truncated", None]


@pytest.mark.parametrize("later", [False, True])
def test_half_the_arguments_of_a_tool_are_no_call(later: bool) -> None:
    async def awaited(llm: RouterLLM) -> Any:
        return [chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "hi")]

    role = piece(None, role="assistant", content=None, tool_calls=[CALL])
    with ChatServer(sse(role, piece(tool_calls=[HALF]), end="clean")) as cut:
        llm = llamaindex(cut)
        with pytest.raises(StreamInterrupted):
            asyncio.run(awaited(llm)) if later else list(llm.stream_chat_with_tools([TOOL], "hi"))
