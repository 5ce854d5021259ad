"""A service tier that a stream tells only at its end, in the chunk with the counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, piece, sse

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

SERVICES = {"flex": {"input_mtok": 1, "output_mtok": 5}, "priority": {"input_mtok": 6, "output_mtok": 30}}
PRICE = {"input_mtok": 3, "output_mtok": 15, "services": SERVICES}
CARD = {"id": "a", "price": PRICE, "context_window": 8_000, "max_output_tokens": 1_000}
CLOSE = ["connection: close"]  # event loops end with their test
COUNTS = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
LAST = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": COUNTS}
OLD_OPENAI = version("langchain-openai").startswith("1.1.")


def _openai(url: str) -> Any:
    model = ChatOpenAI(base_url=url, model="m", api_key="k", stream_usage=True)
    return ChatRouter(models=[(model, CARD)])


def _endpoint(url: str) -> Any:
    return ChatRouter(models=[{**CARD, "endpoint": {"base_url": url, "model": "m"}}])


def _llama(url: str) -> Any:
    return RouterLLM(models=[{**CARD, "endpoint": {"base_url": url, "model": "m"}}])


def _read(llm: Any) -> None:
    list(llm.stream_chat([ChatMessage("hi")]) if isinstance(llm, RouterLLM) else llm.stream("hi"))


def _aread(llm: Any) -> None:
    async def read() -> None:
        stream = await llm.astream_chat([ChatMessage("hi")]) if isinstance(llm, RouterLLM) else llm.astream("hi")
        async for _ in stream:
            pass

    asyncio.run(read())


@pytest.mark.parametrize("read", [_read, _aread])
@pytest.mark.parametrize("first", [{}, {"service_tier": "auto"}])
@pytest.mark.parametrize(
    ("word", "tier", "factor"),
    [
        ("flex", "flex", 1),
        ("priority", "priority", 6),
        ("fast", "priority", 6),
        ("scale", "scale", 3),
        ("default", "", 3),
    ],
)
@pytest.mark.parametrize("make", [_openai, _endpoint, _llama])
def test_it_is_what_the_call_is_priced_under(
    make: Callable[[str], Any], word: str, tier: str, factor: int, first: dict[str, str], read: Callable[[Any], None]
) -> None:
    if make is _openai and OLD_OPENAI and tier in ("flex", "priority") and word != "fast":
        pytest.skip("langchain-openai 1.1 can't read the counts of a service tier")
    parts = [{**piece("w", role="assistant"), **first}, {**piece("", "stop"), **first}, {**LAST, "service_tier": word}]
    with ChatServer(sse(*parts, headers=CLOSE)) as server:
        llm = make(server.base_url)
        read(llm)
    (call,) = llm.router.ledger.calls()
    assert (call.usage.service_tier, call.estimated) == (tier, tier == "scale")
    assert call.cost_pico == (1_000 + 5 * 100) * factor * 1_000_000


@pytest.mark.parametrize("last", [{}, {"service_tier": "priority"}])
def test_a_reader_of_the_message_sees_it_once(last: dict[str, str]) -> None:
    parts = [piece("w", role="assistant"), {**piece("", "stop"), "service_tier": "auto"}, {**LAST, **last}]
    with ChatServer(sse(*parts, headers=CLOSE)) as server:
        told: Any = None
        for chunk in _endpoint(server.base_url).stream("hi"):
            told = chunk if told is None else told + chunk
    assert told.response_metadata["service_tier"] == last.get("service_tier", "auto")
