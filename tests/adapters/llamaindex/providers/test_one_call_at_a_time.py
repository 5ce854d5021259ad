"""Whether a LangChain chat model is told to make one tool call at a time, as LlamaIndex's integrations are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_groq import ChatGroq
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from pydantic import Field

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import RouterLLM
from llamaindex_router.fleet.chain_llm import ChainLLM

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's agents' own
NAME = "parallel_tool_calls"


def book(seat: str) -> str:
    """Book a seat."""
    return seat


TOOL = FunctionTool.from_defaults(book)


def openai(server: ChatServer, model: str = "a") -> Any:
    return ChatOpenAI(model=model, base_url=server.url, api_key="k")  # type: ignore[arg-type]  # a plain key


def endpoint(server: ChatServer) -> Any:
    return ChatEndpoint(model="a", base_url=server.url, api_key="k")  # type: ignore[arg-type]  # likewise


def groq(server: ChatServer) -> Any:
    return ChatGroq(model="a", base_url=server.url.removesuffix("/v1"), api_key="k")  # type: ignore[arg-type, call-arg]


def router(server: ChatServer) -> Any:
    return ChatRouter([openai(server)])


async def every_way(llm: Any, **terms: Any) -> None:
    llm.chat_with_tools([TOOL], "book one", **terms)
    await llm.achat_with_tools([TOOL], "book one", **terms)
    list(llm.stream_chat_with_tools([TOOL], "book one", **terms))
    [chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "book one", **terms)]


def sent(server: ChatServer) -> list[Any]:
    return [request.get(NAME, "unsaid") for request in server.requests]


@pytest.mark.parametrize("make", [openai, endpoint, router])
async def test_calls_one_at_a_time_are_asked_for(server: ChatServer, make: Any) -> None:
    await every_way(RouterLLM(models=[make(server)]))
    assert sent(server) == [False] * 4


@pytest.mark.parametrize("terms", [{"allow_parallel_tool_calls": True}, {"tool_choice": "none"}], ids=str)
async def test_else_nothing_is_said(server: ChatServer, terms: dict[str, Any]) -> None:
    await every_way(RouterLLM(models=[openai(server)]), **terms)
    assert sent(server) == ["unsaid"] * 4


async def test_a_model_that_rejects_the_setting_is_not_sent_it(server: ChatServer) -> None:
    await every_way(RouterLLM(models=[openai(server, "o4-mini")]))
    assert sent(server) == ["unsaid"] * 4


def test_what_the_caller_states_is_sent(server: ChatServer) -> None:
    RouterLLM(models=[openai(server)]).chat_with_tools([TOOL], "book one", **{NAME: True})
    assert sent(server) == [True]


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agents_setting_reaches_the_model(server: ChatServer, streaming: bool) -> None:
    llm = RouterLLM(models=[openai(server)])
    await FunctionAgent(tools=[TOOL], llm=llm, streaming=streaming, allow_parallel_tool_calls=False).run("book one")
    assert sent(server) == [False]


class Strict(FakeListChatModel):
    """Takes tools and no word beside them."""

    bound: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Any:
        self.bound.append(kwargs)
        return self


def test_only_classes_that_take_the_setting_get_it(server: ChatServer) -> None:
    model = Strict(responses=["well"])
    assert ChainLLM(model).chat_with_tools([TOOL], "book one").message.content == "well"
    assert model.bound == [{}]
    bound = {type(made).__name__: _bound(made) for made in (groq(server), ChatOllama(model="m"))}
    assert bound == {"ChatGroq": False, "ChatOllama": "unsaid"}


def _bound(model: Any) -> Any:
    llm = ChainLLM(model)
    given = llm._prepare_chat_with_tools([TOOL], "book one")
    assert given.pop("messages") == [ChatMessage(content="book one")]
    return llm._bound(given)[0].kwargs.get(NAME, "unsaid")
