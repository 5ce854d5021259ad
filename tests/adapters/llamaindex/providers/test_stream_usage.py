"""Streams of LlamaIndex's OpenAI at api.openai.com are booked by its counts; other servers are sent no word more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx
import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from llamaindex_router import RouterLLM

OFFICIAL = "https://api.openai.com/v1"
ASK = [ChatMessage(content="hi")]
TOLD = {"include_usage": True}


class Elsewhere(httpx.HTTPTransport):
    """Sends to the loopback server what is addressed to api.openai.com."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = httpx.URL(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self.url.host, port=self.url.port)
        return super().handle_request(request)


class AsyncElsewhere(httpx.AsyncHTTPTransport):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self.url.host, port=self.url.port)
        return await super().handle_async_request(request)


class Clients(NamedTuple):
    sync: httpx.Client
    asynchronous: httpx.AsyncClient


@pytest.fixture
async def routed(server: ChatServer) -> AsyncIterator[Callable[..., RouterLLM]]:
    """A router over one OpenAI that believes it calls api.openai.com."""
    with httpx.Client(transport=Elsewhere(server.url)) as sync:
        async with httpx.AsyncClient(transport=AsyncElsewhere(server.url)) as asynchronous:

            def make(kind: type[OpenAI] = OpenAI, **settings: Any) -> RouterLLM:
                given = {"api_base": OFFICIAL, "api_key": "k", "model": "gpt-4o-mini", **settings}
                llm = kind(http_client=sync, async_http_client=asynchronous, **given)
                card = {"id": "a", "price": {"input_mtok": 1, "output_mtok": 2}}
                return RouterLLM(models=[(llm, card)], policy="single")

            yield make


async def _drained(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


async def _streamed(llm: RouterLLM, verb: str) -> list[Any]:
    if verb == "chat":
        return list(llm.stream_chat(ASK))
    if verb == "complete":
        return list(llm.stream_complete("hi"))
    if verb == "achat":
        return await _drained(await llm.astream_chat(ASK))
    return await _drained(await llm.astream_complete("hi"))


def _booked(llm: RouterLLM) -> list[tuple[int, int, bool]]:
    return [(call.input_tokens, call.output_tokens, call.estimated) for call in llm.router.ledger.calls()]


@pytest.mark.parametrize("verb", ["chat", "complete", "achat", "acomplete"])
@pytest.mark.parametrize("kind", [OpenAI, OpenAILike])
async def test_a_stream_is_booked_exactly_and_looks_as_before(
    server: ChatServer, routed: Callable[..., RouterLLM], kind: type[OpenAI], verb: str
) -> None:
    server.script("gpt-4o-mini", Say("one two three"))
    settings = {"is_chat_model": True} if kind is OpenAILike else {}
    llm = routed(kind, **settings)
    chunks = await _streamed(llm, verb)
    assert "".join(chunk.delta for chunk in chunks) == "one two three"
    assert all(chunk.raw.choices for chunk in chunks)
    assert chunks[-1].raw.choices[0].finish_reason == "stop"
    assert _booked(llm) == [(100, 20, False)]
    (body,) = server.requests
    assert body["stream_options"] == TOLD


@pytest.mark.parametrize("settings", [
    {"api_base": "https://api.openai.com.example/v1"}, {"api_base": "http://gateway/v1"},
    {"additional_kwargs": {"stream_options": {"include_usage": False}}},
], ids=["alike", "gateway", "set"])  # fmt: skip
async def test_nothing_is_added_for_another_address_or_over_the_users_setting(
    server: ChatServer, routed: Callable[..., RouterLLM], settings: dict[str, Any]
) -> None:
    llm = routed(**settings)
    await _streamed(llm, "chat")
    (body,) = server.requests
    assert body.get("stream_options") == settings.get("additional_kwargs", {}).get("stream_options")
    ((_, _, estimated),) = _booked(llm)
    assert estimated


async def test_a_calls_own_options_stand(server: ChatServer, routed: Callable[..., RouterLLM]) -> None:
    llm = routed()
    list(llm.stream_chat(ASK, stream_options={"include_usage": False}))
    assert [body["stream_options"] for body in server.requests] == [{"include_usage": False}]


async def test_the_chunk_reaches_a_caller_who_asked_for_it(
    server: ChatServer, routed: Callable[..., RouterLLM]
) -> None:
    llm = routed(additional_kwargs={"stream_options": TOLD})
    chunks = await _streamed(llm, "chat")
    assert (chunks[-1].raw.choices, chunks[-1].raw.usage.completion_tokens) == ([], 20)
    assert _booked(llm) == [(100, 20, False)]


async def test_a_client_of_another_address_is_not_asked(server: ChatServer, routed: Callable[..., RouterLLM]) -> None:
    import openai

    with openai.OpenAI(base_url=server.url, api_key="k") as client:
        llm = routed(openai_client=client)
        await _streamed(llm, "chat")
    assert "stream_options" not in server.requests[0]


async def test_calls_without_a_stream_are_sent_as_before(server: ChatServer, routed: Callable[..., RouterLLM]) -> None:
    llm = routed()
    llm.chat(ASK)
    await llm.acomplete("hi")
    assert not any("stream_options" in body for body in server.requests)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_tool_calls_of_a_stream_stay_whole(
    server: ChatServer, routed: Callable[..., RouterLLM], asynchronous: bool
) -> None:
    def add(a: int) -> int:
        """Add one."""
        return a + 1

    server.script("gpt-4o-mini", Say(tools=(("add", {"a": 1}),)))
    llm, tools = routed(), [FunctionTool.from_defaults(add)]
    if asynchronous:
        chunks = await _drained(await llm.astream_chat_with_tools(tools, user_msg="hi"))
    else:
        chunks = list(llm.stream_chat_with_tools(tools, user_msg="hi"))
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(chunks[-1])] == [{"a": 1}]
    assert _booked(llm) == [(100, 20, False)]


class Item(BaseModel):
    name: str


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-3.5-turbo"])  # by a schema, and by a tool
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_streamed_objects_are_booked_exactly(
    server: ChatServer, routed: Callable[..., RouterLLM], model: str, asynchronous: bool
) -> None:
    server.script(model, Say('{"name": "x"}'))
    llm, prompt = routed(model=model), PromptTemplate("hi")
    if asynchronous:
        objects = await _drained(await llm.astream_structured_predict(Item, prompt))
    else:
        objects = list(llm.stream_structured_predict(Item, prompt))
    assert objects[-1] == Item(name="x")
    assert _booked(llm) == [(100, 20, False)]
    assert [body["stream_options"] for body in server.requests] == [TOLD]
