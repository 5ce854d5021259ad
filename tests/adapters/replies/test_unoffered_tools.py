"""A call of a tool that was not offered is a malformed one, where it is known which tools were."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from adapters.replies.clients import CHAIN, INDEX, TOOL, Make, built_in, like, openai, routed, search
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, reply

from capability_router import Router
from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.openai_compatible import client_for
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM, StreamInterrupted

CLOSE = ["connection: close"]  # event loops end with their test
sse = partial(chat_server.sse, headers=CLOSE)


SPEC = {"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {}}}}
ARGS = '{"q": "x"}'


def called(*names: str, text: str | None = None) -> Any:
    """A stream in which these tools are called, each name in the first piece of its call."""
    chunks = [piece(text, role="assistant")]
    for index, name in enumerate(names):
        begun = {"index": index, "id": f"t{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        chunks.append(piece(tool_calls=[begun]))
        chunks += [piece(tool_calls=[{"index": index, "function": {"arguments": bit}}]) for bit in (ARGS[:4], ARGS[4:])]
    return sse(*chunks, piece(finish="tool_calls"))


def whole(*names: str) -> Any:
    calls = [
        {"id": f"t{i}", "type": "function", "function": {"name": name, "arguments": ARGS}}
        for i, name in enumerate(names)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return reply(completion("", message=message, finish_reason="tool_calls"), headers=CLOSE)


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


def asked(llm: Any, *, stream: bool, later: bool) -> list[str]:
    """The names of the tools that are called in the answer, as its caller reads them."""
    return asyncio.run(_aasked(llm, stream)) if later else _asked(llm, stream)


def _asked(llm: Any, stream: bool) -> list[str]:
    if isinstance(llm, RouterLLM):
        told = [*llm.stream_chat_with_tools([TOOL], "hi")][-1] if stream else llm.chat_with_tools([TOOL], "hi")
        return [call.tool_name for call in llm.get_tool_calls_from_response(told)]
    bound = llm.bind_tools([search])
    chunks = list(bound.stream("hi")) if stream else [bound.invoke("hi")]
    return [call["name"] for call in sum(chunks[1:], chunks[0]).tool_calls]


async def _aasked(llm: Any, stream: bool) -> list[str]:
    if isinstance(llm, RouterLLM):
        if stream:
            told = [chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "hi")][-1]
        else:
            told = await llm.achat_with_tools([TOOL], "hi")
        return [call.tool_name for call in llm.get_tool_calls_from_response(told)]
    bound = llm.bind_tools([search])
    chunks = [chunk async for chunk in bound.astream("hi")] if stream else [await bound.ainvoke("hi")]
    return [call["name"] for call in sum(chunks[1:], chunks[0]).tool_calls]


every = pytest.mark.parametrize("make", [*CHAIN, *INDEX])
both = pytest.mark.parametrize("stream", [False, True])
STRANGE = ["find", "Search", "functions.search", "default_api.search"]


@every
@both
@pytest.mark.parametrize("later", [False, True])
def test_another_model_answers(two: Any, make: Make, stream: bool, later: bool) -> None:
    first, second = (called, called) if stream else (whole, whole)
    llm = routed(make, *two(first("find"), second("search")))
    assert asked(llm, stream=stream, later=later) == ["search"]
    assert faults(llm) == ["malformed_tool_call", None]


@every
@both
@pytest.mark.parametrize("name", STRANGE)
def test_when_nothing_better_comes_it_is_handed_over_as_it_is(two: Any, make: Make, stream: bool, name: str) -> None:
    step = (called if stream else whole)(name)
    llm = routed(make, *two(step, step))
    assert asked(llm, stream=stream, later=False) == [name]
    assert faults(llm) == ["malformed_tool_call"] * 2


@every
def test_in_a_stream_that_has_begun_it_is_told(two: Any, make: Make) -> None:
    llm = routed(make, *two(called("find", text="Let me see."), called("search")))
    with pytest.raises(StreamInterrupted, match="of no tool that was offered"):
        asked(llm, stream=True, later=False)
    assert faults(llm) == ["malformed_tool_call"]


@every
def test_beside_a_sound_one_in_a_whole_answer_the_caller_decides(two: Any, make: Make) -> None:
    llm = routed(make, *two(whole("search", "find"), whole("search")))
    called_in_all = ["search", "find"] if make in CHAIN else ["search"]  # LlamaIndex takes the first alone
    assert asked(llm, stream=False, later=False) == called_in_all
    assert faults(llm) == [None]


@every
def test_beside_a_sound_one_in_a_stream_it_is_told(two: Any, make: Make) -> None:
    llm = routed(make, *two(called("find", "search"), called("search")))
    with pytest.raises(StreamInterrupted):
        asked(llm, stream=True, later=False)


@every
def test_a_name_in_pieces_is_read_whole(two: Any, make: Make) -> None:
    one = {"index": 0, "id": "t0", "type": "function", "function": {"name": "sea", "arguments": ""}}
    two_ = {"index": 0, "function": {"name": "rch", "arguments": ARGS}}
    step = sse(piece(role="assistant", tool_calls=[one]), piece(tool_calls=[two_]), piece(finish="tool_calls"))
    llm = routed(make, *two(step, called("search")))
    assert asked(llm, stream=True, later=False) == ["search"]
    assert faults(llm) == [None]


# -- v3 events ------------------------------------------------------------------------------------


def v3(llm: Any) -> list[Any]:
    events = list(llm.stream_events("hi", version="v3"))
    return [e["content"]["name"] for e in events if e["event"] == "content-block-finish" and "name" in e["content"]]


@pytest.mark.filterwarnings("ignore:.*v3:langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("make", CHAIN)
def test_v3_events_likewise(two: Any, make: Make) -> None:
    llm = routed(make, *two(called("find"), called("search")))
    assert v3(llm.bind_tools([search])) == ["search"]
    assert faults(llm) == ["malformed_tool_call", None]


@pytest.mark.filterwarnings("ignore:.*v3:langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("make", CHAIN)
def test_v3_events_that_have_begun_are_told(two: Any, make: Make) -> None:
    llm = routed(make, *two(called("find", text="Let me see."), called("search")))
    with pytest.raises(StreamInterrupted):
        v3(llm.bind_tools([search]))


# -- the built-in client without a framework ------------------------------------------------------


@both
def test_the_built_in_client_alone(two: Any, stream: bool) -> None:
    step = called if stream else whole
    servers = two(step("find"), step("search"))
    ids = ("a", "b")
    clients = {id: client_for({"base_url": s.base_url, "model": "m"}) for id, s in zip(ids, servers, strict=True)}
    router = Router(
        [{"id": id, "endpoint": {"base_url": s.base_url, "model": "m"}} for id, s in zip(ids, servers, strict=True)],
        policy="single",
    )
    request = request_from_chat("hi", tools=[SPEC], stream=stream)
    run = router.start(request, ChatCompletionsEndpoint(request, clients))
    names = [call.name for delta in run for call in delta.tool_calls if call.name]
    assert names == ["search"]
    assert [call.fault for call in router.ledger.calls()] == ["malformed_tool_call", None]


# -- where it is not known which tools there are --------------------------------------------------


@tool
def bash(command: str) -> str:
    """Run it."""
    return command


BASH = bash.model_copy(update={"name": "shell", "extras": {"provider_tool_definition": {"name": "bash"}}})
UNKNOWN: list[Any] = [
    {"type": "web_search"},
    {"type": "mcp", "server_label": "x", "server_url": "http://127.0.0.1/"},
    {"type": "namespace", "name": "crm", "tools": []},
    {"type": "web_search_20990101", "thing": 1},
    BASH,
]


@pytest.mark.parametrize("beside", UNKNOWN, ids=range(len(UNKNOWN)))
def test_tools_that_may_be_called_by_other_names(two: Any, beside: Any) -> None:
    first, second = two(whole("find"), whole("search"))
    llm = routed(built_in, first, second)
    answer = llm.invoke("hi", tools=[SPEC, beside]) if isinstance(beside, dict) else None
    answer = answer or llm.bind_tools([search, beside]).invoke("hi")
    assert [call["name"] for call in answer.tool_calls] == ["find"]
    assert faults(llm) == [None]


def test_names_in_other_forms(two: Any) -> None:
    tools = [
        {"name": "one", "input_schema": {"type": "object", "properties": {}}},
        {"type": "custom", "custom": {"name": "two"}},
        {"type": "bash_20250124", "name": "three"},
        {"title": "four", "description": "x", "type": "object", "properties": {}},
    ]
    llm = routed(built_in, *two(whole("one", "two", "three", "four", "five"), whole("search")))
    llm.invoke("hi", tools=tools)
    assert faults(llm) == [None]
    beside = routed(built_in, *two(whole("five"), whole("one")))
    beside.invoke("hi", tools=tools)
    assert faults(beside) == ["malformed_tool_call", None]


def test_a_tools_history_without_tools(two: Any) -> None:
    history = [
        HumanMessage("hi"),
        AIMessage("", tool_calls=[{"name": "find", "args": {}, "id": "t"}]),
        ToolMessage("x", tool_call_id="t"),
    ]
    llm = routed(built_in, *two(whole("find"), whole("search")))
    llm.invoke(history)
    assert faults(llm) == [None]


def test_tools_that_a_message_brings(two: Any) -> None:
    history = [HumanMessage([{"type": "tool_addition", "tool": SPEC}, {"type": "text", "text": "hi"}])]
    llm = routed(built_in, *two(whole("find"), whole("search")))
    llm.bind_tools([search]).invoke(history)
    assert faults(llm) == [None]


@pytest.mark.parametrize("option", ["model_kwargs", "extra_body"])
def test_tools_of_the_model_itself(two: Any, option: str) -> None:
    first, second = two(whole("find"), whole("search"))
    own = ChatOpenAI(model="a", base_url=first.base_url, api_key="k", **{option: {"tools": [SPEC]}})
    llm = ChatRouter(models=[(own, {"id": "a"}), openai(second.base_url, "b")], policy="single")
    llm.bind_tools([search]).invoke("hi")
    assert faults(llm) == [None]


def test_tools_of_a_llamaindex_model_itself(two: Any) -> None:
    first, second = two(whole("find"), whole("search"))
    own, about = like(first.base_url, "a")
    own.additional_kwargs = {"tools": [SPEC]}
    llm = RouterLLM(models=[(own, about), like(second.base_url, "b")], policy="single")
    llm.chat_with_tools([TOOL], "hi")
    assert faults(llm) == [None]


def test_llamaindex_tools_as_keywords(two: Any) -> None:
    llm = routed(like, *two(whole("find"), whole("search")))
    llm.chat([ChatMessage("hi")], tools=[SPEC])
    assert faults(llm) == ["malformed_tool_call", None]


def test_anthropics_server_tools_are_no_calls() -> None:
    content = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
        {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "x"}},
    ]
    body = {
        "id": "m", "type": "message", "role": "assistant", "model": "claude", "content": content,
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    with ChatServer(reply(body)) as server:
        url = server.base_url.removesuffix("/v1")
        llm = ChatRouter(models=[ChatAnthropic(model_name="claude-opus-4-8", base_url=url, api_key="k")])
        tools = [{"type": "web_search_20250305", "name": "web_search"}, search]
        answer = llm.bind_tools(tools).invoke("hi")
    assert [call["name"] for call in answer.tool_calls] == ["search"]
    assert faults(llm) == [None]
