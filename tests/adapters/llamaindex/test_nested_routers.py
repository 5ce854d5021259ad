"""A router within a router is where its models are: two of them over other models have a health each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage

from capability_router.address import Address
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import RouterLLM

HI = [ChatMessage(content="hi")]


def addresses(llm: RouterLLM) -> list[Address]:
    return [entry.address for entry in llm.router.registry]


def test_one_that_fails_leaves_the_other_alone(built_in: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", Refuse(500))
    server.script("b", Say("from b"))
    inner = [RouterLLM(models=[built_in(name)]) for name in "ab"]
    outer = RouterLLM(models=inner, policy="single", health={"consecutive": 1})
    for _ in range(3):
        assert outer.chat(HI).message.content == "from b"
    assert [row["state"] for row in outer.router.health()] == ["open", "closed"]


def test_two_over_the_same_models_are_one(built_in: Callable[..., Any], server: ChatServer) -> None:
    twins = [RouterLLM(models=[built_in("a")]) for _ in range(2)]
    first, second = addresses(RouterLLM(models=twins))
    assert first == second


def test_so_it_is_with_langchains_routers() -> None:
    def chain(url: str) -> ChatRouter:
        return ChatRouter(models=[ChatOpenAI(model="m", base_url=url, api_key="k")])

    east, twin, west = addresses(RouterLLM(models=[chain(f"http://{where}/v1") for where in ("east", "east", "west")]))
    assert east == twin
    assert east.base_url != west.base_url


def test_one_of_langchains_with_a_gemini_still_takes_schemas() -> None:
    """Its `profile` says no only so that LangChain's agents send none beside tools."""
    model = ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="gemini-2.5-flash", structured_output=True)
    inner = ChatRouter(models=[model])
    assert RouterLLM(models=[inner]).router.registry.cards[0].structured_output is True
