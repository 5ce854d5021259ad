"""An error in the body of a 200: another model answers, and the call is booked as one that had begun."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from loopback import chat_server as loopback

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


CLOSE = ["connection: close"]  # event loops end with their test
BEGUN = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 31, "output_tokens": 0},
    },
}  # fmt: skip
SAID = {
    "overloaded_error": "overloaded", "api_error": "server_error", "rate_limit_error": "rate_limited",
    "authentication_error": "auth", "permission_error": "auth", "billing_error": "quota_exhausted",
    "not_found_error": "not_found", "timeout_error": "timeout",
}  # fmt: skip


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("word", SAID)
def test_an_event_of_anthropics_stream_is_what_it_says_and_its_input_is_booked(word: str, later: bool) -> None:
    error = {"type": "error", "error": {"type": word, "message": "no"}, "request_id": "r"}
    events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in (BEGUN, error)]
    good = loopback.sse(loopback.piece("one two"), loopback.piece(finish="stop"), headers=CLOSE)
    with (
        loopback.ChatServer(loopback.sse(*events, end="clean", headers=CLOSE)) as bad,
        loopback.ChatServer(good) as well,
    ):
        model = ChatAnthropic(model="claude-haiku-4-5", base_url=bad.base_url.removesuffix("/v1"), api_key="k")
        other = ChatOpenAI(model="m", base_url=well.base_url, api_key="k")
        llm = ChatRouter(models=[(model, {"id": "a", **PRICE}), (other, {"id": "b", **PRICE})], policy="single")

        async def read() -> str:
            return "".join([str(chunk.content) async for chunk in llm.astream("hi")])

        text = asyncio.run(read()) if later else "".join(str(chunk.content) for chunk in llm.stream("hi"))
    assert text == "one two"
    first, _ = llm.router.ledger.calls()
    assert (first.model, first.fault) == ("a", SAID[word])
    assert (first.estimated, first.output_tokens) == (True, 0)
    assert first.cost_pico == first.input_tokens * 1_000_000 > 0
