"""Counts of tokens that can't be: the answer is delivered, all is given back, and what was used is estimated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, completion, piece, reply, sse

from capability_router import AllCandidatesFailed
from capability_router.testing import assert_books_balanced
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

TERMS: dict[str, Any] = {"price": {"input_mtok": 1, "output_mtok": 2}, "max_output_tokens": 10, "id": "a"}
CAP: list[Any] = [{"scope": "global", "limit_usd": 100_000, "window": "total"}]
MANY = 10**400


def _events(*events: dict[str, Any]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def _claude(**usage: Any) -> list[bytes]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    return _events(
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 12, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )


def test_a_stream_of_claudes_that_counts_its_input_at_the_beginning_alone() -> None:
    """So do servers of its format that count the output alone at the end, as Anthropic's own once did."""
    with ChatServer(sse(*_claude(output_tokens=5), headers=["connection: close"])) as server:
        model = ChatAnthropic(model="c", base_url=server.base_url.removesuffix("/v1"), api_key="k")
        llm = ChatRouter(models=[(model, TERMS)], policy="single")
        assert (
            "".join(chunk.text for chunk in llm.stream("a question of some length, which is not for nothing"))
            == "hello"
        )
    (call,) = llm.router.ledger.calls()
    assert (call.output_tokens, call.estimated) == (5, True)
    assert call.input_tokens > 8
    assert call.cost_pico == call.input_tokens * 10**6 + 5 * 2 * 10**6


CLIENTS: dict[str, Callable[[str], Any]] = {
    "ChatEndpoint": lambda url: ChatRouter(
        models=[(ChatEndpoint(base_url=url, model="m"), TERMS)], budgets=CAP, policy="single"
    ),
    "ChatOpenAI": lambda url: ChatRouter(
        models=[(ChatOpenAI(base_url=url, model="m", api_key="k"), TERMS)], budgets=CAP, policy="single"
    ),
    "EndpointLLM": lambda url: RouterLLM(
        models=[(EndpointLLM(base_url=url, model="m"), TERMS)], budgets=CAP, policy="single"
    ),
}


def _asked(llm: Any, *, stream: bool) -> str:
    if isinstance(llm, ChatRouter):
        return "".join(chunk.text for chunk in llm.stream("hi")) if stream else llm.invoke("hi").text
    messages = [ChatMessage("hi")]
    if stream:
        return "".join(str(chunk.delta or "") for chunk in llm.stream_chat(messages))
    return str(llm.chat(messages).message.content)


async def _awaited(llm: Any, *, stream: bool) -> str:
    if isinstance(llm, ChatRouter):
        return "".join([chunk.text async for chunk in llm.astream("hi")]) if stream else (await llm.ainvoke("hi")).text
    messages = [ChatMessage("hi")]
    if stream:
        return "".join([str(chunk.delta or "") async for chunk in await llm.astream_chat(messages)])
    return str((await llm.achat(messages)).message.content)


ODD: list[Any] = [float("nan"), float("inf"), -5, 1.5, True, "5", [1], {"a": 1}, [None], MANY]
COUNTS = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def _usages() -> list[dict[str, Any]]:
    inner = [("prompt_tokens_details", "cached_tokens"), ("completion_tokens_details", "reasoning_tokens")]
    outer = [*COUNTS, *(name for name, _ in inner), "cost", "cost_details", "cost_in_usd_ticks"]
    return [{**COUNTS, name: odd} for name in outer for odd in ODD] + [
        {**COUNTS, name: {count: odd}} for name, count in inner for odd in ODD
    ]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
def test_whatever_stands_in_the_place_of_counts_an_answer_comes_and_all_is_given_back(
    client: str, stream: bool
) -> None:
    usages, close = _usages(), ["connection: close"]

    def step(usage: Any) -> Any:
        end = {**piece(), "choices": [], "usage": usage}
        whole = {**completion("hello"), "usage": usage}
        if stream:
            return sse(piece("hello", role="assistant"), piece(finish="stop"), end, headers=close)
        return reply(whole, headers=close)

    with ChatServer(*map(step, usages)) as server, ChatServer(step(COUNTS)) as sound:
        llm = CLIENTS[client](server.base_url)
        spare = CLIENTS[client](sound.base_url)
        for usage in usages:
            with suppress(AllCandidatesFailed):  # the package itself stumbles; another model would be asked
                assert _asked(llm, stream=stream) == "hello", usage
            llm.router.reset("a")
        assert _asked(spare, stream=stream) == "hello"
    assert len(llm.router.ledger.calls()) >= len(usages)
    assert [row["in_flight"] for row in llm.router.health()] == [0]
    assert [row["reserved_usd"] for row in llm.router.budgets.rows()] == [0]
    assert_books_balanced(llm.router)


def test_an_answer_under_a_role_that_nobody_knows() -> None:
    whole = completion("hello")
    whole["choices"][0]["message"]["role"] = "model"
    with ChatServer(reply(whole, headers=["connection: close"])) as server:
        llm = CLIENTS["ChatOpenAI"](server.base_url)
        assert llm.invoke("hi").content == "hello"
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.estimated) == (None, False)  # a ChatMessage has its counts in the provider's words alone
    assert (call.usage.input_tokens, call.usage.output_tokens) == tuple(
        whole["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_count_that_no_float_holds(client: str, stream: bool, awaited: bool) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": MANY, "total_tokens": MANY}
    end = {**piece(finish="stop"), "usage": usage}
    whole = {**completion("hello"), "usage": usage}
    close = ["connection: close"]
    step = sse(piece("hello", role="assistant"), end, headers=close) if stream else reply(whole, headers=close)
    with ChatServer(step) as server:
        llm = CLIENTS[client](server.base_url)
        text = asyncio.run(_awaited(llm, stream=stream)) if awaited else _asked(llm, stream=stream)
        assert text == "hello"
    assert [(call.fault, call.estimated) for call in llm.router.ledger.calls()] == [(None, True)]
    assert [row["in_flight"] for row in llm.router.health()] == [0]
    assert [row["reserved_usd"] for row in llm.router.budgets.rows()] == [0]
    assert_books_balanced(llm.router)
