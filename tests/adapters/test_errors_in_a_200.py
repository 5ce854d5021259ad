"""An error in the body of a 200: another model answers, and the call is booked as one that had begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

PRICE = {"price": {"input_mtok": 1, "output_mtok": 2}}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    made.script("good", Say("one two"))
    yield made
    made.close()


def _langchain(model: Any, url: str) -> tuple[Any, Callable[[], str]]:
    good = {"id": "b", "endpoint": {"base_url": url, "model": "good"}, **PRICE}
    llm = ChatRouter(models=[model, good], policy="single", retry={"attempts": 2})
    return llm, lambda: str(llm.invoke("hi").content)


def _openai(url: str) -> tuple[Any, Callable[[], str]]:
    model = ChatOpenAI(model="bad", api_key="k", base_url=url)
    return _langchain((model, {"id": "a", **PRICE}), url)


def _built_in(url: str) -> tuple[Any, Callable[[], str]]:
    return _langchain({"id": "a", "endpoint": {"base_url": url, "model": "bad"}, **PRICE}, url)


def _llamaindex(url: str) -> tuple[Any, Callable[[], str]]:
    models = [
        (OpenAILike(model=name, api_key="k", api_base=url, is_chat_model=True), {"id": id, **PRICE})
        for id, name in (("a", "bad"), ("b", "good"))
    ]
    llm = RouterLLM(models=models, policy="single", retry={"attempts": 2})
    return llm, lambda: llm.complete("hi").text


@pytest.mark.parametrize("make", [_openai, _built_in, _llamaindex])
def test_the_input_is_booked_as_an_estimate(server: ChatServer, make: Callable[[str], Any]) -> None:
    server.script("bad", Refuse(200, "server_error"))
    llm, call = make(server.url)
    assert call() == "one two"
    first, second = llm.router.ledger.calls()
    assert (first.model, first.fault, first.estimated, first.output_tokens) == ("a", "server_error", True, 0)
    assert first.cost_pico == first.input_tokens * 1_000_000 > 0
    assert (second.model, second.fault, second.estimated) == ("b", None, False)


@pytest.mark.parametrize("make", [_openai, _built_in, _llamaindex])
def test_one_that_names_a_status_was_turned_away_and_costs_nothing(
    server: ChatServer, make: Callable[[str], Any]
) -> None:
    refused: Any = 502  # a number, as OpenRouter has it
    server.script("bad", Refuse(200, refused))
    llm, call = make(server.url)
    assert call() == "one two"
    first, _ = llm.router.ledger.calls()
    assert (first.model, first.fault, first.cost_pico) == ("a", "server_error", 0)
