"""A tool call whose arguments break off is never handed over as a sound one, whoever puts the stream together."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from adapters.replies.clients import CHAIN, INDEX, TOOL, Make, chained, endpoint, like, routed, search
from langchain_core.runnables import RunnableLambda
from llama_index.core.prompts import PromptTemplate
from loopback import chat_server
from loopback.chat_server import completion, piece, reply
from pydantic import BaseModel

from llamaindex_router import RouterLLM, StreamInterrupted

sse = partial(chat_server.sse, headers=["connection: close"])  # event loops end with their test


class Search(BaseModel):
    """A search."""

    q: str


def calls(arguments: str, name: str = "search") -> Any:
    """A step that calls a tool, streamed or not as it is asked."""
    told = {"index": 0, "id": "t1", "type": "function", "function": {"name": name, "arguments": ""}}
    bits = [arguments[i : i + 3] for i in range(0, len(arguments), 3)]
    pieces = [piece(tool_calls=[{"index": 0, "function": {"arguments": bit}}]) for bit in bits]
    role = piece(None, role="assistant", content=None, tool_calls=[told])
    return sse(role, *pieces, piece(finish="tool_calls"))


def whole(arguments: str, name: str = "search") -> Any:
    call = {"id": "t1", "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return reply(completion("", message=message, finish_reason="tool_calls"), headers=["connection: close"])


BROKEN, SOUND = '{"q": "x', '{"q": "y"}'
LINES = '{"q": "one\n\ttwo"}'
"""With a raw line break and tab in a string, as models write them and both frameworks read them."""


def streamed(llm: Any, *, later: bool) -> Any:
    async def read() -> Any:
        if isinstance(llm, RouterLLM):
            return [chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "hi")]
        return [chunk async for chunk in llm.bind_tools([search]).astream("hi")]

    if later:
        return asyncio.run(read())
    if isinstance(llm, RouterLLM):
        return list(llm.stream_chat_with_tools([TOOL], "hi"))
    return list(llm.bind_tools([search]).stream("hi"))


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("make", [*CHAIN, *INDEX])
def test_a_stream_that_ends_so_is_told(two: Any, make: Make, later: bool) -> None:
    llm = routed(make, *two(calls(BROKEN), calls(SOUND)))
    with pytest.raises(StreamInterrupted, match="malformed tool call"):
        streamed(llm, later=later)
    assert faults(llm) == ["malformed_tool_call"]


@pytest.mark.parametrize("make", [*CHAIN, *INDEX])
@pytest.mark.parametrize(
    ("arguments", "expected"), [(SOUND, {"q": "y"}), ("", {}), ("{}", {}), ('{"q": "a\nb"}', {"q": "a\nb"})]
)
def test_arguments_that_end_whole_stay(two: Any, make: Make, arguments: str, expected: Any) -> None:
    llm = routed(make, *two(calls(arguments), calls(SOUND)))
    chunks = streamed(llm, later=False)
    if make in CHAIN:
        assert [call["args"] for call in sum(chunks[1:], chunks[0]).tool_calls] == [expected]
    else:
        assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(chunks[-1])] == [expected]
    assert faults(llm) == [None]


def under_events(llm: Any) -> Any:
    async def node(text: str) -> Any:
        return await llm.ainvoke(text)

    async def read() -> Any:
        events = [event async for event in RunnableLambda(node).astream_events("hi", version="v2")]
        return events[-1]["data"]["output"]

    return asyncio.run(read())


@pytest.mark.parametrize("make", CHAIN)
def test_an_answer_that_is_gathered_for_a_handler_goes_on(two: Any, make: Make) -> None:
    llm = routed(make, *two(calls(BROKEN), calls(SOUND)))
    message = under_events(llm.bind_tools([search]))
    assert [call["args"] for call in message.tool_calls] == [{"q": "y"}]
    assert faults(llm) == ["malformed_tool_call", None]


@pytest.mark.parametrize("make", CHAIN)
def test_when_nothing_better_comes_its_call_is_an_invalid_one(two: Any, make: Make) -> None:
    llm = routed(make, *two(calls(BROKEN), calls(BROKEN)))
    message = under_events(llm.bind_tools([search]))
    assert message.tool_calls == []
    assert [call["args"] for call in message.invalid_tool_calls] == [BROKEN]


@pytest.mark.parametrize("make", CHAIN)
def test_raw_control_characters_in_a_string_break_no_call(two: Any, make: Make) -> None:
    for asked, step in ((under_events, calls), (lambda llm: llm.invoke("hi"), whole)):
        llm = routed(make, *two(step(LINES), step(SOUND)))
        message = asked(llm.bind_tools([search]))
        assert [call["args"] for call in message.tool_calls] == [{"q": "one\n\ttwo"}]
        assert (message.invalid_tool_calls, faults(llm)) == ([], [None])


@pytest.mark.parametrize("make", [endpoint, chained])
def test_they_break_none_in_llamaindex(two: Any, make: Make) -> None:
    for asked, step in (
        (lambda llm: streamed(llm, later=False)[-1], calls),
        (lambda llm: llm.chat_with_tools([TOOL], "hi"), whole),
    ):
        llm = routed(make, *two(step(LINES), step(SOUND)))
        assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(asked(llm))] == [{"q": "one\n\ttwo"}]
        assert faults(llm) == [None]


EMPTY = pytest.mark.parametrize("empty", ["null", "[]", '""'])


@EMPTY
@pytest.mark.parametrize("make", CHAIN)
def test_an_empty_value_is_no_arguments(two: Any, make: Make, empty: str) -> None:
    for asked, step in ((under_events, calls), (lambda llm: llm.invoke("hi"), whole)):
        llm = routed(make, *two(step(empty), step(SOUND)))
        message = asked(llm.bind_tools([search]))
        assert [(call["name"], call["args"]) for call in message.tool_calls] == [("search", {})]
        assert (message.invalid_tool_calls, faults(llm)) == ([], [None])


@EMPTY
@pytest.mark.parametrize("make", INDEX)
def test_so_it_is_in_llamaindex(two: Any, make: Make, empty: str) -> None:
    for asked, step in (
        (lambda llm: streamed(llm, later=False)[-1], calls),
        (lambda llm: llm.chat_with_tools([TOOL], "hi"), whole),
    ):
        llm = routed(make, *two(step(empty), step(SOUND)))
        assert asked(llm).message.blocks[-1].tool_name == "search"
        assert faults(llm) == [None]


@EMPTY
@pytest.mark.parametrize("make", CHAIN)
def test_its_chunks_are_passed_on(two: Any, make: Make, empty: str) -> None:
    llm = routed(make, *two(calls(empty), calls(SOUND)))
    chunks = streamed(llm, later=False)
    assert [call["args"] for call in sum(chunks[1:], chunks[0]).tool_call_chunks] == [empty]
    assert faults(llm) == [None]


UNREADABLE = pytest.mark.parametrize("wrong", ['{"q": "x"}}', "{'q': 'x'}", '"x"'])
"""Malformed as a whole: nothing is missing at the end, and no framework completes it."""


@UNREADABLE
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("make", CHAIN)
def test_a_whole_stream_with_a_call_that_nobody_can_read_ends_as_without_a_router(
    two: Any, make: Make, later: bool, wrong: str
) -> None:
    llm = routed(make, *two(calls(wrong), calls(SOUND)))
    chunks = streamed(llm, later=later)
    message = sum(chunks[1:], chunks[0])
    assert (message.tool_calls, [call["args"] for call in message.invalid_tool_calls]) == ([], [wrong])
    assert faults(llm) == ["malformed_tool_call"]


@UNREADABLE
@pytest.mark.parametrize("make", INDEX)
def test_an_agent_of_llamaindex_lets_its_model_correct_one(two: Any, make: Make, wrong: str) -> None:
    llm = routed(make, *two(calls(wrong), calls(SOUND)))
    (call,) = llm.get_tool_calls_from_response(streamed(llm, later=False)[-1])
    assert (call.tool_name, call.tool_kwargs == {"q": "x"}) == ("search", False)
    assert faults(llm) == ["malformed_tool_call"]


@pytest.mark.parametrize("make", CHAIN)
def test_so_it_is_in_v3_events(two: Any, make: Make) -> None:
    llm = routed(make, *two(calls('{"q": "x"}}'), calls(SOUND)))
    output = llm.bind_tools([search]).stream_events("hi", version="v3").output
    assert [call["args"] for call in output.invalid_tool_calls] == ['{"q": "x"}}']
    llm = routed(make, *two(calls(BROKEN), calls(SOUND)))
    with pytest.raises(StreamInterrupted):
        _ = llm.bind_tools([search]).stream_events("hi", version="v3").output


@pytest.mark.parametrize("wrong", ['{"q": "x"} and', '{"q": tru', "{'q': 'x", '{"q": "x", '])
@pytest.mark.parametrize("make", CHAIN)
def test_one_that_may_look_whole_does_not(two: Any, make: Make, wrong: str) -> None:
    llm = routed(make, *two(calls(wrong), calls(SOUND)))
    with pytest.raises(StreamInterrupted, match="malformed tool call"):
        streamed(llm, later=False)


@pytest.mark.parametrize("make", CHAIN)
def test_no_object_is_made_of_one(two: Any, make: Make) -> None:
    llm = routed(make, *two(calls(BROKEN, "Search"), calls(SOUND, "Search")))
    assert under_events(llm.with_structured_output(Search, method="function_calling")) == Search(q="y")
    assert faults(llm) == ["malformed_tool_call", None]


@pytest.mark.parametrize("make", [*CHAIN, *INDEX])
def test_a_whole_answer_goes_on(two: Any, make: Make) -> None:
    llm = routed(make, *two(whole(BROKEN), whole(SOUND)))
    answer = llm.chat_with_tools([TOOL], "hi") if make in INDEX else llm.bind_tools([search]).invoke("hi")
    assert answer is not None
    assert faults(llm) == ["malformed_tool_call", None]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("make", [like, endpoint])
def test_a_streamed_object_that_does_not_fit_is_not_of_the_class(two: Any, make: Make, later: bool) -> None:
    class Two(BaseModel):
        """Two fields."""

        q: str
        n: int

    def said(text: str) -> Any:
        call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "Two", "arguments": text}}
        role = piece(None, role="assistant", content=text, tool_calls=[call])
        return sse(role, piece(finish="stop"))

    async def read(llm: RouterLLM) -> Any:
        return [part async for part in await llm.astream_structured_predict(Two, PromptTemplate("hi"))]

    llm = routed(make, *two(said('{"q": "x"}'), said('{"q": "x", "n": 1}')))
    parts = asyncio.run(read(llm)) if later else list(llm.stream_structured_predict(Two, PromptTemplate("hi")))
    assert (parts[-1].q, isinstance(parts[-1], Two)) == ("x", False)
    assert faults(llm) == ["unparsable"]
