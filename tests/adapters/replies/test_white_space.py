"""A stream of white space alone is no answer; before a text it is a part of it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from adapters.replies.clients import CHAIN, INDEX, Make, routed
from langchain_core.messages import AIMessageChunk
from llama_index.core.llms import ChatMessage
from loopback import chat_server
from loopback.chat_server import piece

from langchain_router.messages.replies import ReplyReader
from llamaindex_router import RouterLLM

sse = partial(chat_server.sse, headers=["connection: close"])  # event loops end with their test
HI = [ChatMessage(content="hi")]
LATER = [False, True]


def _stream(*texts: str, finish: str | None = "stop") -> Any:
    return sse(piece(role="assistant"), *map(piece, texts), piece(finish=finish))


def _texts(llm: Any, *, later: bool) -> list[str]:
    if not later:
        return [_text(chunk) for chunk in (llm.stream_chat(HI) if isinstance(llm, RouterLLM) else llm.stream("hi"))]

    async def read() -> list[str]:
        chunks = await llm.astream_chat(HI) if isinstance(llm, RouterLLM) else llm.astream("hi")
        return [_text(chunk) async for chunk in chunks]

    return asyncio.run(read())


def _text(chunk: Any) -> str:
    return str(chunk.delta if hasattr(chunk, "delta") else chunk.content)


def _faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("make", CHAIN + INDEX)
def test_it_is_followed_by_the_next_model(make: Make, two: Any, later: bool) -> None:
    llm = routed(make, *two(_stream(" ", "\n"), _stream("good")))
    assert "".join(_texts(llm, later=later)) == "good"
    assert _faults(llm) == ["empty", None]


@pytest.mark.parametrize("make", CHAIN + INDEX)
def test_so_is_one_that_runs_on_to_its_limit(make: Make, two: Any) -> None:
    """As models do that are to give JSON and were not told so."""
    llm = routed(make, *two(_stream("\n", "\n", finish="length"), _stream("good")))
    assert "".join(_texts(llm, later=False)) == "good"
    assert _faults(llm) == ["empty", None]


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("make", CHAIN + INDEX)
def test_before_a_text_it_is_given_with_it_once(make: Make, two: Any, later: bool) -> None:
    llm = routed(make, *two(_stream("\n", " ", "a", " ", "b"), _stream("other")))
    assert "".join(_texts(llm, later=later)) == "\n a b"
    assert _faults(llm) == [None]


@pytest.mark.parametrize("make", CHAIN + INDEX)
def test_it_is_delivered_if_nothing_better_comes(make: Make, two: Any) -> None:
    llm = routed(make, *two(_stream("\n"), _stream("\t")))
    assert "".join(_texts(llm, later=False)).isspace()


CALL = {"name": "of_no_tool", "args": "{}", "id": "c", "index": 1, "type": "tool_call_chunk"}


@pytest.mark.parametrize(
    ("beside", "calls"),
    [
        ({"type": "text", "text": ""}, []),
        ({"type": "reasoning", "reasoning": ""}, []),
        ({"type": "tool_use", "name": "of_no_tool", "id": "c", "input": {}}, [CALL]),
    ],
)
def test_it_is_none_in_a_chunk_of_several_blocks_either(beside: Any, calls: Any) -> None:
    """Where none of the others is an answer on its own."""
    reader, chunk = ReplyReader(streamed=True, tools=frozenset({"other"})), [beside, {"type": "text", "text": "\n"}]
    assert not reader.see(AIMessageChunk(content=chunk, tool_call_chunks=calls))
    assert reader.see(AIMessageChunk(content=[beside, {"type": "text", "text": "\n."}], tool_call_chunks=calls))
