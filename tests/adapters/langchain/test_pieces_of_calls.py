"""How the pieces of streamed tool calls belong together, where a server or a package does it in a way of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_mistralai import ChatMistralAI
from langchain_openai import ChatOpenAI
from loopback import chat_server
from loopback.chat_server import ChatServer, piece
from routers import add

from capability_router.endpoints.wire import Delta, ToolCallDelta
from langchain_router import ChatEndpoint, ChatRouter
from langchain_router.messages.transcript import ChunkBuilder

CLOSE = ["connection: close"]  # event loops end with their test
sse = partial(chat_server.sse, headers=CLOSE)
later = pytest.mark.parametrize("later", [False, True], ids=["stream", "astream"])


def _call(args: str, **told: Any) -> dict[str, Any]:
    named = {"name": "add"} if "id" in told else {}
    return piece(None, tool_calls=[{"index": 0, "type": "function", **told, "function": {**named, "arguments": args}}])


END = piece(None, "tool_calls")
PIECES = [_call("", id="call_1"), _call('{"a": 1,'), _call(' "b": 2}'), END]
SAME_INDEX = [_call('{"a": 1, "b": 2}', id="call_1"), _call('{"a": 3, "b": 4}', id="call_2"), END]
CUT = [_call('{"a": 1, "b": 2}', id="call_1"), _call('{"a": 3, ', id="call_2"), END]


def _mistral(url: str) -> Any:
    return ChatMistralAI(model_name="m", endpoint=url, api_key="k")


def _openai(url: str) -> Any:
    return ChatOpenAI(model="m", base_url=url, api_key="k")


def _endpoint(url: str) -> Any:
    return ChatEndpoint(model="m", base_url=url, api_key="k")


def _asked(make: Callable[[str], Any], sent: list[Any], later: bool) -> tuple[list[Any], list[Any]]:
    with ChatServer(sse(*sent)) as server:
        llm = ChatRouter(models=[(make(server.base_url), {"tool_calling": True})])
        chunks = asyncio.run(_read(llm)) if later else list(llm.bind_tools([add]).stream("hi"))
    whole = sum(chunks[1:], chunks[0])
    assert isinstance(whole, AIMessageChunk)
    assert not whole.invalid_tool_calls
    assert {call["name"] for call in whole.tool_calls} == {"add"}
    return [call["args"] for call in whole.tool_calls], [call.fault for call in llm.router.ledger.calls()]


async def _read(llm: ChatRouter) -> list[Any]:
    return [chunk async for chunk in llm.bind_tools([add]).astream("hi")]


@later
@pytest.mark.parametrize("make", [_mistral, _openai, _endpoint])
def test_arguments_in_pieces_are_those_of_one_call(make: Callable[[str], Any], later: bool) -> None:
    """ChatMistralAI gives each piece an id of its own, by which langchain-core takes it for another call."""
    assert _asked(make, PIECES, later) == ([{"a": 1, "b": 2}], [None])


@later
@pytest.mark.parametrize("make", [_mistral, _openai, _endpoint])
def test_calls_that_share_their_index_are_told_apart_by_their_ids(make: Callable[[str], Any], later: bool) -> None:
    """Gemini's Chat Completions number all calls 0."""
    assert _asked(make, SAME_INDEX, later) == ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], [None])


def test_one_of_them_that_breaks_off_is_found() -> None:
    with ChatServer(sse(*CUT)) as server:
        llm = ChatRouter(models=[(_openai(server.base_url), {"tool_calling": True})])
        with pytest.raises(Exception, match="malformed tool call"):
            list(llm.bind_tools([add]).stream("hi"))


def _joined(*pieces: tuple[int, str, str, str]) -> list[tuple[str, str, Any]]:
    """The name, id and arguments of each call that ChatEndpoint's chunks add up to."""
    chunks = ChunkBuilder("acme")
    made = [
        chunks.of(Delta(tool_calls=(ToolCallDelta(index=index, id=id, name=name, arguments=arguments),)))
        for index, id, name, arguments in pieces
    ]
    whole = sum(made[1:], made[0])
    assert isinstance(whole, AIMessageChunk)
    assert not whole.invalid_tool_calls
    return [(call["name"], str(call["id"]), call["args"]) for call in whole.tool_calls]


def test_calls_in_pieces_that_share_their_index_are_those_of_several_calls() -> None:
    sent = [(0, "a", "add", '{"a":'), (0, "", "", "1}"), (0, "b", "add", '{"a":'), (0, "", "", "2}")]
    assert _joined(*sent) == [("add", "a", {"a": 1}), ("add", "b", {"a": 2})]


def test_a_server_that_repeats_name_and_id_with_each_piece_makes_one_call() -> None:
    assert _joined((0, "a", "add", '{"a":'), (0, "a", "add", "1}")) == [("add", "a", {"a": 1})]


def test_a_name_may_come_in_parts_and_an_id_later() -> None:
    assert _joined((0, "", "ad", ""), (0, "a", "d", '{"a":1}')) == [("add", "a", {"a": 1})]


def test_an_id_that_changes_without_a_name_begins_no_call() -> None:
    chunks = ChunkBuilder("acme")
    first, later = (
        chunks.of(Delta(tool_calls=(ToolCallDelta(index=0, id=id, name=name, arguments=""),)))
        for id, name in (("a", "add"), ("b", ""))
    )
    assert first.tool_call_chunks[0]["index"] == later.tool_call_chunks[0]["index"] == 0


def test_an_index_that_another_call_took_is_not_used_again() -> None:
    sent = [(0, "a", "add", "{}"), (0, "b", "add", "{}"), (1, "c", "add", '{"a":'), (1, "", "", "3}")]
    assert _joined(*sent) == [("add", "a", {}), ("add", "b", {}), ("add", "c", {"a": 3})]
