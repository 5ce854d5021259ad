"""A stream that is cut off before its provider has counted the output: what came is booked, as an estimate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, suppress
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, piece, sse

from capability_router.errors import RouterError
from capability_router.tokens.estimate import estimate_tokens
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

TERMS: dict[str, Any] = {"id": "a", "price": {"input_mtok": 1, "output_mtok": 2}}
CLOSE = ["connection: close"]  # event loops end with their test
WORDS = [f"this is the part number {number} of an answer " for number in range(12)]
TEXT = "".join(WORDS)


def claudes(counted: int) -> Iterator[dict[str, Any]]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    usage = {"input_tokens": 31, "output_tokens": counted}
    yield {"type": "message_start", "message": {**message, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in WORDS:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}


def cut(counted: int = 1) -> Any:
    """As a gateway passes Anthropic's counts on, which ChatAnthropicBedrock does, too."""
    usage = {"prompt_tokens": 31, "completion_tokens": counted, "total_tokens": 31 + counted}
    begun = {**piece(WORDS[0]), "usage": usage}
    return sse(begun, *map(piece, WORDS[1:]), end="clean", headers=CLOSE)


def chains(url: str) -> ChatRouter:
    model = ChatOpenAI(model="m", base_url=url, api_key="k", stream_usage=True)
    return ChatRouter(models=[(model, TERMS)], policy="single")


def built_in(url: str) -> ChatRouter:
    return ChatRouter(models=[{**TERMS, "endpoint": {"base_url": url, "model": "m"}}], policy="single")


def llamas(url: str) -> RouterLLM:
    model = OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True)
    return RouterLLM(models=[(model, TERMS)], policy="single")


MADE = [chains, built_in, llamas]


def read(llm: Any, most: int) -> None:
    steps = llm.stream("hi") if isinstance(llm, ChatRouter) else llm.stream_chat([ChatMessage("hi")])
    with closing(steps), suppress(RouterError):
        for number, _ in enumerate(steps):
            if number >= most:
                return


def aread(llm: Any, most: int) -> None:
    async def read() -> None:
        chain = isinstance(llm, ChatRouter)
        steps: Any = llm.astream("hi") if chain else await llm.astream_chat([ChatMessage("hi")])
        async with aclosing(steps):
            with suppress(RouterError):
                number = 0
                async for _ in steps:
                    number += 1
                    if number > most:
                        return

    asyncio.run(read())


@pytest.mark.parametrize("ask", [read, aread])
@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("counted", [0, 1])
def test_what_came_is_booked_where_the_output_was_counted_at_the_beginning(
    make: Callable[[str], Any], ask: Callable[[Any, int], None], counted: int
) -> None:
    with ChatServer(cut(counted)) as server:
        llm = make(server.base_url)
        ask(llm, 1_000)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.input_tokens, call.estimated) == ("truncated", 31, True)
    assert call.output_tokens == estimate_tokens(TEXT)
    assert call.cost_pico == 31 * 10**6 + call.output_tokens * 2 * 10**6


@pytest.mark.parametrize("make", MADE)
def test_so_is_what_the_caller_has_heard_of_a_stream_that_he_leaves(make: Callable[[str], Any]) -> None:
    with ChatServer(cut()) as server:
        llm = make(server.base_url)
        read(llm, 8)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.input_tokens, call.estimated) == ("cancelled", 31, True)
    assert 30 < call.output_tokens <= estimate_tokens(TEXT)


def test_chat_anthropic_keeps_what_was_counted_at_the_beginning_to_itself() -> None:
    events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in claudes(1)]
    with ChatServer(sse(*events, end="clean", headers=CLOSE)) as server:
        model = ChatAnthropic(model="c", base_url=server.base_url.removesuffix("/v1"), api_key="k")
        llm = ChatRouter(models=[(model, TERMS)], policy="single")
        read(llm, 1_000)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.output_tokens, call.estimated) == ("truncated", estimate_tokens(TEXT), True)


@pytest.mark.parametrize("each", [7, 3, 1])
def test_who_counts_with_each_chunk_is_believed_however_little_it_is(each: int) -> None:
    counted = [
        {**piece(word), "usage": {"prompt_tokens": 31, "completion_tokens": n, "total_tokens": 31 + n}}
        for n, word in zip(range(each, 100, each), WORDS, strict=False)
    ]
    with ChatServer(sse(*counted, end="clean", headers=CLOSE)) as server:
        model = ChatOpenAI(model="m", base_url=server.base_url, api_key="k", stream_usage=True)
        llm = ChatRouter(models=[(model, TERMS)], policy="single")
        read(llm, 1_000)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.input_tokens, call.output_tokens, call.estimated) == ("truncated", 31, 12 * each, False)
