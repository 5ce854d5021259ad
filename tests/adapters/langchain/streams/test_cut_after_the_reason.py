"""A stream that its provider breaks off after its finish reason is whole, and ends as any other does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from loopback.chat_server import USAGE, ChatServer, piece, sse

from langchain_router import ChatRouter

Read = Callable[[ChatRouter], list[Any]]


def streamed(llm: ChatRouter) -> list[Any]:
    return list(llm.stream("hi"))


def later(llm: ChatRouter) -> list[Any]:
    async def read() -> list[Any]:
        return [chunk async for chunk in llm.astream("hi")]

    return asyncio.run(read())


def as_v2(llm: ChatRouter) -> list[Any]:
    async def read() -> list[Any]:
        events = [event async for event in llm.astream_events("hi", version="v2")]
        return [e["data"]["chunk"] for e in events if (e["event"], e["name"]) == ("on_chain_stream", "ChatRouter")]

    return asyncio.run(read())


@pytest.fixture(params=[(), (USAGE,)], ids=["before the usage", "after it"])
def cut(request: pytest.FixtureRequest) -> Iterator[ChatServer]:
    parts = piece("one"), piece(" two"), piece(finish="stop"), *request.param
    with ChatServer(sse(*parts, end="cut")) as server:
        yield server


@pytest.mark.parametrize("read", [streamed, later, as_v2])
@pytest.mark.parametrize("settings", [{}, {"resume": True}, {"timeouts": {"total": 60}}], ids=str)
def test_its_last_chunk_says_who_answered(cut: ChatServer, read: Read, settings: Any) -> None:
    model = ChatOpenAI(model="m", base_url=cut.base_url, api_key="k")
    llm = ChatRouter(models=[model], policy="single", **settings)
    chunks = read(llm)
    whole: AIMessageChunk = sum(chunks[1:], chunks[0])
    assert (whole.content, whole.response_metadata["finish_reason"]) == ("one two", "stop")
    assert whole.response_metadata["router"]["model"] == "openai/m"
    assert chunks[-1].chunk_position == "last"
    assert ["router" in chunk.response_metadata for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert {chunk.id for chunk in chunks} == {whole.id}


def test_without_annotations_it_ends_all_the_same(cut: ChatServer) -> None:
    model = ChatOpenAI(model="m", base_url=cut.base_url, api_key="k")
    chunks = list(ChatRouter(models=[model], annotate=False).stream("hi"))
    assert (chunks[-1].chunk_position, "router" in chunks[-1].response_metadata) == ("last", False)
