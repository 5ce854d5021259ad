"""Agents, graphs and chains give the same with the router in the model's place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fakes import Recorder, Scripted, calling
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableParallel
from langchain_core.runnables.history import RunnableWithMessageHistory
from langgraph.checkpoint.memory import InMemorySaver
from loopback.chat_server import ChatServer, completion, piece, reply, sse
from openai_server import Server
from pydantic import BaseModel

from langchain_router import ChatEndpoint, ChatRouter

LARGE: Any = {"input_tokens": 9_000, "output_tokens": 10, "total_tokens": 9_010}
DOWN = httpx.ConnectError("no route")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Answer(BaseModel):
    """The answer."""

    value: int


def loop() -> list[Any]:
    return [calling("add", {"a": 1, "b": 2}), "it is 3"]


def wrapped(script: list[Any], *, fails: bool = False) -> ChatRouter:
    models = [Scripted(name_="y", script=script)]
    first = [Scripted(name_="x", script=[DOWN])] if fails else []
    return ChatRouter(models=first + models, policy="single")


def told(messages: list[BaseMessage]) -> list[Any]:
    return [(m.type, m.content, getattr(m, "tool_calls", None) or getattr(m, "tool_call_id", "")) for m in messages]


def both(script: list[Any]) -> list[BaseChatModel]:
    return [Scripted(name_="y", script=script), wrapped(script), wrapped(script, fails=True)]


def same(results: list[Any]) -> Any:
    assert all(result == results[0] for result in results[1:]), results
    return results[0]


def test_an_agent_with_tools() -> None:
    agents = [create_agent(model, [add]) for model in both(loop())]
    results = [told(agent.invoke({"messages": "1+2?"})["messages"]) for agent in agents]
    assert [kind for kind, *_ in same(results)] == ["human", "ai", "tool", "ai"]


async def test_an_agent_async_and_streamed_by_messages() -> None:
    results = []
    for model in both(loop()):
        stream = create_agent(model, [add]).astream({"messages": "1+2?"}, stream_mode="messages")
        chunks = [m async for m, _ in stream]
        results.append("".join(m.content for m in chunks if isinstance(m, AIMessageChunk)))
    assert same(results) == "it is 3"  # every token once


def test_an_agent_streamed_by_updates() -> None:
    agents = [create_agent(model, [add]) for model in both(loop())]
    streams = [list(agent.stream({"messages": "1+2?"}, stream_mode="updates")) for agent in agents]
    names = [[(next(iter(step)), told(next(iter(step.values()))["messages"])) for step in steps] for steps in streams]
    assert [name for name, _ in same(names)] == ["model", "tools", "model"]


def test_an_agent_with_a_checkpointer_keeps_its_conversation() -> None:
    results = []
    for model in both(["one", "two"]):
        agent = create_agent(model, [], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "t"}}
        agent.invoke({"messages": "a"}, config)
        results.append(told(agent.invoke({"messages": "b"}, config)["messages"]))
    assert [text for _, text, _ in same(results)] == ["a", "one", "b", "two"]


def test_a_thread_is_a_session() -> None:
    model = wrapped(["one"])
    seen = []
    model.router.on_outcome(lambda request, _: seen.append(request.routing.session))
    agent = create_agent(model, [], checkpointer=InMemorySaver())
    agent.invoke({"messages": "a"}, {"configurable": {"thread_id": "t"}})
    assert seen == ["t"]


def test_a_tool_loop_stays_on_its_model() -> None:
    model = ChatRouter(models=[Scripted(name_="x", script=loop()), Scripted(name_="y")], policy="adaptive")
    messages = create_agent(model, [add]).invoke({"messages": "1+2?"})["messages"]
    answers = [m for m in messages if isinstance(m, AIMessage)]
    assert len({m.response_metadata["router"]["model"] for m in answers}) == 1


def test_middleware() -> None:
    results = []
    for model in both(loop()):
        middleware = [
            ModelRetryMiddleware(max_retries=1),
            SummarizationMiddleware(model=model, trigger=("messages", 50)),
        ]
        results.append(told(create_agent(model, [add], middleware=middleware).invoke({"messages": "1+2?"})["messages"]))
    assert same(results)[-1][1] == "it is 3"


@pytest.mark.parametrize("strategy", [ToolStrategy, ProviderStrategy])
def test_a_structured_response_by_both_strategies(strategy: Any, server: Server) -> None:
    plain = ChatEndpoint(base_url=server.url, model="ok-y")
    models = [plain, ChatRouter(models=[ChatEndpoint(base_url=server.url, model="fail-x"), plain], policy="single")]
    agents = [create_agent(model, response_format=strategy(Answer)) for model in models]
    assert same([agent.invoke({"messages": "?"})["structured_response"] for agent in agents]) == Answer(value=3)


@pytest.mark.parametrize("names", [["gemini-2.5-flash"], ["gpt-5-mini", "gemini-2.5-flash"]])
def test_no_schema_beside_tools_where_a_gemini_takes_only_one_of_them(names: list[str], server: Server) -> None:
    """LangChain knows it by the model's name; the API answers 400 to both together."""
    models: list[Any] = [ChatEndpoint(base_url=server.url, model=n, structured_output=True) for n in names]
    router = ChatRouter(models=models, policy="single")
    for model in (models[-1], router, ChatRouter(models=[router], policy="single")):
        server.seen.clear()
        next(create_agent(model, [add], response_format=Answer).stream({"messages": "?"}))
        ((_, body),) = server.seen
        assert "response_format" not in body
        assert [tool["function"]["name"] for tool in body["tools"]] == ["add", "Answer"]


def test_a_router_of_a_gemini_takes_schemas_from_the_router_that_it_is_a_model_of() -> None:
    """Its `profile` says no only so that agents send none beside tools."""
    model = ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="gemini-2.5-flash", structured_output=True)
    inner = ChatRouter(models=[model])
    assert inner.profile == {"structured_output": False}
    assert ChatRouter(models=[inner]).router.registry.cards[0].structured_output is True
    stated = ChatRouter(models=[model], profile={"structured_output": False, "max_input_tokens": 500})
    card = ChatRouter(models=[stated]).router.registry.cards[0]
    assert (card.structured_output, card.max_input_tokens) == (False, 500)


def test_one_chain_run_per_model_call_in_an_agents_trace() -> None:
    tracer = Recorder()
    create_agent(wrapped(loop(), fails=True), [add]).invoke({"messages": "1+2?"}, {"callbacks": [tracer]})
    (root,) = tracer.roots
    models = [step for step in root.child_runs if step.name == "model"]
    routed = [run for step in models for run in step.child_runs if run.name == "ChatRouter"]
    assert len(routed) == 2
    assert [c.run_type for c in routed[0].child_runs] == ["llm", "llm"]
    assert {c.run_type for c in routed[1].child_runs} == {"llm"}


def test_lcel_chains() -> None:
    prompt = ChatPromptTemplate.from_template("{x}")
    for model in both(['{"a": 1}']):
        assert (prompt | model | JsonOutputParser()).invoke({"x": "hi"}) == {"a": 1}
        assert "".join((prompt | model | StrOutputParser()).stream({"x": "hi"})) == '{"a": 1}'
        parallel = RunnableParallel(one=prompt | model, two=prompt | model)
        assert set(parallel.invoke({"x": "hi"})) == {"one", "two"}
        assert len((prompt | model).batch([{"x": "a"}, {"x": "b"}])) == 2


@pytest.mark.filterwarnings("ignore:The class `InMemoryChat", "ignore:RunnableWithMessageHistory is deprecated")
def test_message_history() -> None:
    history = InMemoryChatMessageHistory()
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{x}")])
    chain = RunnableWithMessageHistory(
        prompt | wrapped(["one", "two"]), lambda _: history, input_messages_key="x", history_messages_key="history"
    )
    for text in ("a", "b"):
        chain.invoke({"x": text}, {"configurable": {"session_id": "s"}})
    assert [m.content for m in history.messages] == ["a", "one", "b", "two"]


class At(Scripted):
    home: str

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {**super()._get_ls_params(stop, **kwargs), "ls_provider": self.home}


def homes(*providers: str) -> ChatRouter:
    return ChatRouter(models=[At(name_=f"m{n}", home=home) for n, home in enumerate(providers)], policy="single")


def test_middleware_that_asks_for_the_provider_is_told_one_that_all_models_share() -> None:
    reported = AIMessage("x", response_metadata={"model_provider": "acme"}, usage_metadata=LARGE)
    asked: list[Any] = [("user", "q"), reported, ("user", "r")]

    def first(llm: ChatRouter) -> Any:
        summary = SummarizationMiddleware(model=llm, trigger=("tokens", 5_000), keep=("messages", 1))
        return create_agent(llm, [add], middleware=[summary]).invoke({"messages": asked})["messages"][0].content

    assert first(homes("acme", "acme")).startswith("Here is a summary")
    assert first(homes("acme", "umbrella")) == "q"  # by its own estimate, as docs/langchain.md says


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_graph_keeps_all_messages_of_a_server_that_repeats_its_reply_ids(server: Server, mode: str) -> None:
    agent = create_agent(ChatRouter(models=[ChatEndpoint(base_url=server.url, model="ok-y")]), [add])
    asked: Any = {"messages": [("user", "1 + 2?")]}
    ended = agent.invoke(asked) if mode == "invoke" else list(agent.stream(asked, stream_mode="values"))[-1]
    assert [message.type for message in ended["messages"]] == ["human", "ai", "tool", "ai"]
    first, last = (message for message in ended["messages"] if message.type == "ai")
    assert first.id.startswith("lc_run--")
    assert (first.id != last.id, first.response_metadata["id"]) == (True, "chatcmpl-1")


@pytest.mark.parametrize("told", [{}, {"id": ""}, {"id": None}])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_whose_call_has_no_id_is_run(told: dict[str, Any], streamed: bool) -> None:
    call = {**told, "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    whole = completion(message={"role": "assistant", "tool_calls": [call]}, finish_reason="tool_calls")
    parts = [
        sse(piece(tool_calls=[{"index": 0, **call}]), piece(None, "tool_calls")),
        sse(piece("3"), piece(None, "stop")),
    ]
    with ChatServer(*(parts if streamed else [reply(whole), reply(completion("3"))])) as server:
        model = ChatEndpoint(base_url=server.base_url, model="m", streaming=streamed)
        messages = create_agent(ChatRouter(models=[model]), [add]).invoke({"messages": [("user", "1 + 2?")]})[
            "messages"
        ]
    assert (messages[1].tool_calls[0]["id"], messages[2].content, messages[3].content) == ("", "3", "3")
