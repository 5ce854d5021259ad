"""An agent that is streamed makes its model stream: what was cut off is never taken for the whole answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter

CLASSES = {"openai": ChatOpenAI, "anthropic": ChatAnthropic, "google": ChatGoogleGenerativeAI, "ollama": ChatOllama}
KINDS = [*CLASSES, "endpoint"]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def make(server: Server, providers: ProviderServer) -> Iterator[Any]:
    made: list[Any] = []

    def make(kind: str, name: str) -> BaseChatModel:
        if kind == "endpoint":
            return ChatEndpoint(base_url=server.url, model=name)
        key = {} if kind == "ollama" else {"api_key": "k"}
        url = server.url if kind == "openai" else providers.url
        made.append(CLASSES[kind](model=name, base_url=url, **key))
        return made[-1]

    yield make
    for model in made:
        if isinstance(model, ChatOllama):  # the one whose sockets nobody else closes
            model._client._client.close()


def messages(agent: Any, mode: str) -> list[Any]:
    """The final messages of an agent that is streamed in this mode."""
    if mode == "v3":
        return agent.stream_events({"messages": "1+2?"}, version="v3").output["messages"]
    last: dict[str, Any] = {}
    for kind, value in agent.stream({"messages": "1+2?"}, stream_mode=["messages", "values"]):
        last = value if kind == "values" else last
    return last["messages"]


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
@pytest.mark.parametrize("mode", ["messages", "v3"])
@pytest.mark.parametrize("how", ["half", "cut"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_answer_is_followed_by_the_next_models(make: Any, server: Server, kind: str, how: str, mode: str) -> None:
    router = ChatRouter(models=[make(kind, f"{how}-x"), make("openai", "ok-y")], policy="single")
    final = messages(create_agent(router, []), mode)[-1]
    assert final.text == "a b c"
    assert final.response_metadata["router"]["fallback"]


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
@pytest.mark.parametrize("mode", ["messages", "v3"])
@pytest.mark.parametrize("how", ["half", "cut"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_tool_is_called_with_half_its_arguments(make: Any, server: Server, kind: str, how: str, mode: str) -> None:
    router = ChatRouter(models=[make(kind, f"{how}-x"), make("openai", "ok-y")], policy="single")
    made = messages(create_agent(router, [add]), mode)
    called = [call["args"] for m in made if isinstance(m, AIMessage) for call in m.tool_calls]
    assert called == [{"a": 3, "b": 3}]
    assert [m.content for m in made if isinstance(m, ToolMessage)] == ["6"]
