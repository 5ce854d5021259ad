"""LangGraph: event streams, several stream modes, interrupts and checkpoints are those of a plain model."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, LLMToolSelectorMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from openai_server import Server

from langchain_router import ChatRouter

THREAD: Any = {"configurable": {"thread_id": "t"}}


@pytest.fixture(params=["healthy", "fail", "cut"])
def models(request: pytest.FixtureRequest, server: Server) -> list[BaseChatModel]:
    """A plain model, and a router whose first candidate is it, answers 429 or cuts its stream."""

    def openai(name: str) -> ChatOpenAI:
        return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False)

    first = [] if request.param == "healthy" else [openai(f"{request.param}-x")]
    return [openai("ok-y"), ChatRouter(models=[*first, openai("ok-y")], policy="single")]


def graph(model: BaseChatModel, **options: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("call", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_edge(START, "call")
    return builder.compile(**options)


@tool
def ask(question: str) -> str:
    """Ask a person."""
    return f"said {interrupt(question)}"


@tool
def double(x: int) -> int:
    """Double a number."""
    return 2 * x


def told(messages: Any) -> list[Any]:
    return [(m.type, m.text, [(c["name"], c["args"]) for c in getattr(m, "tool_calls", ())]) for m in messages]


@pytest.mark.filterwarnings("ignore:.*v3")
def test_a_graphs_event_stream_gives_each_token_once(models: list[BaseChatModel]) -> None:
    results = []
    for model in models:
        run = graph(model).stream_events({"messages": "hi"}, version="v3")
        texts = [list(message.text) for message in run.messages]
        results.append((list(filter(None, texts)), told(run.output["messages"])))  # a cut attempt is an empty message
    assert results[0] == results[1]
    assert results[0][0] == [["a", " b", " c"]]


@pytest.mark.parametrize("off", [True, "tool_calling"])
def test_streaming_that_is_switched_off_is_off_in_a_graphs_stream(server: Server, off: Any) -> None:
    """A graph's handler of messages asks the model to stream its whole answers."""

    def streamed(model: BaseChatModel) -> list[str]:
        steps = graph(model.bind_tools([double])).stream({"messages": "hi"}, stream_mode="messages")  # type: ignore[arg-type]  # a binding
        return [type(message).__name__ for message, _ in steps]

    own = ChatOpenAI(model="ok-y", base_url=server.url, api_key="k")
    alone = own.model_copy(update={"disable_streaming": off})
    assert streamed(alone) == ["AIMessage"]
    assert streamed(ChatRouter(models=[own], disable_streaming=off)) == ["AIMessage"]


def test_a_model_that_never_streams_does_not_begin_to_under_a_milder_setting_of_the_router(server: Server) -> None:
    own = ChatOpenAI(model="ok-y", base_url=server.url, api_key="k", disable_streaming=True)
    assert len([chunk for chunk in own.stream("hi") if chunk.content]) == 1
    routed = ChatRouter(models=[own], disable_streaming="tool_calling")
    assert len([chunk for chunk in routed.stream("hi") if chunk.content]) == 1


def test_several_stream_modes_at_once(models: list[BaseChatModel]) -> None:
    results = []
    for model in models:
        tokens, updates, lengths = [], [], []
        agent = create_agent(model, [double])
        for mode, data in agent.stream({"messages": "x"}, stream_mode=["messages", "updates", "values"]):
            if mode == "messages" and isinstance(data[0], AIMessageChunk):
                tokens += [data[0].text, *(piece["args"] for piece in data[0].tool_call_chunks)]
            elif mode == "updates":
                updates.append({node: told(update["messages"]) for node, update in data.items()})
            elif mode == "values":
                lengths.append(len(data["messages"]))
        results.append((list(filter(None, tokens)), updates, lengths))
    assert results[0] == results[1]
    assert results[0][0] == ['{"x"', ": 3}", "a", " b", " c"]


def test_a_tool_that_interrupts_is_resumed(models: list[BaseChatModel]) -> None:
    results = []
    for model in models:
        agent = create_agent(model, [ask], checkpointer=InMemorySaver())
        asked = agent.invoke({"messages": "x"}, THREAD)["__interrupt__"][0].value
        results.append((asked, told(agent.invoke(Command(resume="yes"), THREAD)["messages"])))
    assert results[0] == results[1]
    assert [text for _, text, _ in results[0][1]][-2:] == ["said yes", "a b c"]


def test_a_person_approves_a_tool_call(models: list[BaseChatModel]) -> None:
    results = []
    for model in models:
        middleware = [HumanInTheLoopMiddleware(interrupt_on={"double": True}), LLMToolSelectorMiddleware(model=model)]
        agent = create_agent(model, [double], middleware=middleware, checkpointer=InMemorySaver())
        assert len(agent.invoke({"messages": "x"}, THREAD)["__interrupt__"]) == 1
        resumed = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
        results.append(told(resumed["messages"]))
    assert results[0] == results[1]


def test_an_interrupt_inside_a_model_passes_the_router_and_asks_no_other() -> None:
    class Asking(Scripted):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            self.script = [f"told {interrupt('which?')}"]
            return super()._generate(*args, **kwargs)

    spare = Scripted(name_="y")
    asked = graph(ChatRouter(models=[Asking(name_="x"), spare], policy="single"), checkpointer=InMemorySaver())
    assert asked.invoke({"messages": "x"}, THREAD)["__interrupt__"][0].value == "which?"
    assert asked.invoke(Command(resume="this"), THREAD)["messages"][-1].content == "told this"
    assert spare.calls == []


def test_checkpoints_hold_the_annotation(models: list[BaseChatModel]) -> None:
    serializer = JsonPlusSerializer()
    first, *others = models[1].stream("x")
    for original in (models[1].invoke("x"), sum(others, first)):
        back = serializer.loads_typed(serializer.dumps_typed(original))
        assert back == original
        assert back.response_metadata["router"]["provider"] == "openai"
