"""What is bound decides who is eligible, and is replayed on whoever is chosen."""

from __future__ import annotations

import copy

import pytest
from fakes import Scripted, calling
from langchain_core import exceptions as core
from langchain_core.runnables import RunnableBinding, RunnablePassthrough
from langgraph.prebuilt import create_react_agent
from openai_server import Server
from pydantic import BaseModel
from routers import DOWN, add, router

from langchain_router import ChatEndpoint


class Joke(BaseModel):
    setup: str
    punchline: str


def test_bound_tools_are_replayed_on_the_chosen_model() -> None:
    child = Scripted(script=[calling("add", {"a": 1, "b": 2})])
    bound = router(Scripted(script=[DOWN], name_="x"), child).bind_tools([add], tool_choice="any")
    assert isinstance(bound, RunnableBinding)
    reply = bound.invoke("hi")
    assert reply.tool_calls[0]["args"] == {"a": 1, "b": 2}
    assert child.options[0]["tool_choice"] == "any"
    assert child.options[0]["tools"][0]["function"]["name"] == "add"
    streamed = list(bound.stream("hi"))
    assert any(c.tool_call_chunks for c in streamed)


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
@pytest.mark.parametrize("in_a_chain", [False, True])
def test_what_an_agent_is_given_with_tools_keeps_the_options_beside_them(in_a_chain: bool) -> None:
    child = Scripted(script=[calling("add", {"a": 1, "b": 2}), "it is 3"])
    bound = router(child).bind_tools([add], tool_choice="any")
    agent = create_react_agent(RunnablePassthrough() | bound if in_a_chain else bound, [add])
    assert agent.invoke({"messages": "hi"})["messages"][-1].content == "it is 3"
    assert [options["tool_choice"] for options in child.options] == ["any", "any"]
    with pytest.raises(ValueError, match="Missing tools"):
        create_react_agent(bound, [Joke])


def test_bound_tools_are_explained_and_a_calls_own_tools_replace_them() -> None:
    cannot, can = (Scripted(name_="x"), {"tool_calling": False}), (Scripted(name_="y"), {"tool_calling": True})
    bound = copy.deepcopy(router(cannot, can).bind_tools([add]))
    assert bound.explain("hi").chosen.id == "fake/y"
    bound.invoke("hi")
    bound.invoke("hi", tools=[])
    assert [[tool["function"]["name"] for tool in options["tools"]] for options in can[0].options] == [["add"], []]


def test_tools_read_from_one_binding_and_bound_by_hand_are_explained_as_they_are_sent() -> None:
    cannot, can = (Scripted(name_="x"), {"tool_calling": False}), (Scripted(name_="y"), {"tool_calling": True})
    model = router(cannot, can)
    by_hand = model.bind(tools=model.bind_tools([add]).kwargs["tools"])
    by_hand.invoke("hi")
    assert [tool["function"]["name"] for tool in can[0].options[0]["tools"]] == ["add"]
    assert by_hand.explain("hi").chosen.id == "fake/y"


def test_what_is_bound_decides_who_is_eligible() -> None:
    cannot, can = (Scripted(name_="x"), {"tool_calling": False}), (Scripted(name_="y"), {"tool_calling": True})
    model = router(cannot, can)
    assert model.bind_tools([add]).invoke("hi").response_metadata["router"]["model"] == "fake/y"
    plan = model.explain("hi", tools=[add])
    assert plan.chosen.id == "fake/y"
    assert plan.refusals[0].rule == "tool_calling"
    assert model.explain("hi").chosen.id == "fake/x"
    assert [c.id for c in model.explain("hi", deny=["fake/x"]).candidates] == ["fake/y"]


def test_stream_counts_as_a_need() -> None:
    model = router((Scripted(name_="x"), {"streaming": False}), Scripted(name_="y"))
    assert list(model.stream("hi"))[-1].response_metadata["router"]["model"] == "fake/y"
    assert model.invoke("hi").response_metadata["router"]["model"] == "fake/x"


def test_structured_output_moves_on_when_an_answer_does_not_parse(server: Server) -> None:
    entries = [ChatEndpoint(base_url=server.url, model=name) for name in ("bad-a", "ok-b")]
    model = router(*entries)
    for method in ("json_schema", "function_calling", "json_mode"):
        structured = model.with_structured_output(Joke, method=method)
        assert structured.invoke("joke") == Joke(setup="test", punchline="test")
        assert list(structured.stream("joke"))[-1] == Joke(setup="test", punchline="test")
    calls = model.router.ledger.calls()
    assert {c.model for c in calls} == {"endpoint/bad-a", "endpoint/ok-b"}
    assert all(c.input_tokens == 10 for c in calls if c.model == "endpoint/ok-b")


def test_structured_output_that_never_parses_is_as_without_a_router(server: Server) -> None:
    model = router(ChatEndpoint(base_url=server.url, model="bad-a"))
    with pytest.raises(core.OutputParserException):
        model.with_structured_output(Joke).invoke("joke")
    raw = model.with_structured_output(Joke, include_raw=True).invoke("joke")
    assert raw["parsed"] is None
    assert raw["parsing_error"] is not None
    assert raw["raw"].content == "not json"
    assert raw["raw"].response_metadata["router"]["model"] == "endpoint/bad-a"


async def test_structured_output_async_and_dict_schemas(server: Server) -> None:
    model = router(ChatEndpoint(base_url=server.url, model="bad-a"), ChatEndpoint(base_url=server.url, model="ok-b"))
    structured = model.with_structured_output(Joke.model_json_schema())
    assert await structured.ainvoke("joke") == {"setup": "test", "punchline": "test"}
    parts = [p async for p in structured.astream("joke")]
    assert parts[-1] == {"setup": "test", "punchline": "test"}
