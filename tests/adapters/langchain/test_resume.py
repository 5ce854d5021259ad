"""A stream that breaks off goes on with another model, from the text so far, where the user asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from fakes import Recorder, Scripted
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter, StreamInterrupted

ABLE = {"assistant_prefill": True}


@pytest.fixture
def providers() -> Iterator[ProviderServer]:
    providers = ProviderServer()
    yield providers
    providers.close()


def gpt(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False, stream_usage=True)


@pytest.fixture(params=["openai", "endpoint", "anthropic"])
def spare(request: pytest.FixtureRequest, server: Server, providers: ProviderServer) -> BaseChatModel:
    if request.param == "anthropic":
        return ChatAnthropic(model="ok-y", base_url=providers.url, api_key="k")
    return gpt(server, "ok-y") if request.param == "openai" else ChatEndpoint(base_url=server.url, model="ok-y")


def turns(server: Server, providers: ProviderServer) -> list[dict[str, Any]]:
    """The messages of the last request to the spare model."""
    seen = [body for name, body in (*server.seen, *providers.seen) if name == "ok-y"]
    return seen[-1]["messages"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_it_goes_on(spare: Any, server: Server, providers: ProviderServer, asynchronous: bool) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (spare, ABLE)], policy="single", resume=True)
    chunks = [c async for c in router.astream("hi")] if asynchronous else list(router.stream("hi"))
    whole = reduce(add, chunks)
    assert whole.text == "aa b c"  # "a", then all that the spare says
    told = whole.response_metadata["router"]
    assert (told["resumed"], told["attempts"]) == (1, 2)
    assert [c.chunk_position for c in chunks if c.chunk_position] == ["last"]
    last = turns(server, providers)[-1]
    assert (last["role"], last["content"]) in [("assistant", "a"), ("assistant", [{"type": "text", "text": "a"}])]


def test_the_trace_has_both_attempts_and_the_books_too(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)], policy="single", resume=True)
    tracer = Recorder()
    list(router.stream("hi", {"callbacks": [tracer]}))
    assert [run.run_type for run in tracer.roots[0].child_runs] == ["llm", "llm"]
    assert [call.fault for call in router.router.ledger.calls()] == ["truncated", None]


def test_not_without_being_asked_nor_where_the_answer_is_parsed(server: Server) -> None:
    models = [gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)]
    schema = {"title": "T", "type": "object", "properties": {"setup": {"type": "string"}}}
    asked = ChatRouter(models=models, policy="single", resume=True)
    structured = asked.with_structured_output(schema, method="json_mode")
    for runnable in (ChatRouter(models=models, policy="single"), structured):
        with pytest.raises(StreamInterrupted):
            list(runnable.stream("hi"))


def test_spaces_are_not_doubled_where_the_parts_meet() -> None:
    models = [Scripted(name_="x", script=["one  !"]), (Scripted(name_="y", script=[" two three"]), ABLE)]
    router = ChatRouter(models=models, policy="single", resume=True)
    assert "".join(c.content for c in router.stream("hi")) == "one two three"
    assert models[1][0].calls[-1][-1].content == "one"
