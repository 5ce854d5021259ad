"""Streams that tell their counts more than once: what was told last is booked, of each client, however it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain_mistralai import ChatMistralAI
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, completion, piece, reply, sse

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import RouterLLM

CARD = {"id": "a", "price": {"input_mtok": 3, "output_mtok": 15}, "context_window": 8_000, "max_output_tokens": 1_000}
CAP = [{"scope": "global", "limit_usd": 0.05, "window": "day"}]
CLOSE = ["connection: close"]  # event loops end with their test


def counts(output: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": 1_000, "completion_tokens": output, "total_tokens": 1_000 + output}}


ALONE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
GROWING = [*({**piece("w "), **counts(n)} for n in range(1, 101)), {**piece("", "stop"), **counts(100)}]
REPEATED = [piece("w"), piece("", "stop"), {**ALONE, **counts(100)}, {**ALONE, **counts(100)}]
TRUE = Decimal("0.0045")


def _openai(url: str, **more: Any) -> Any:
    return ChatRouter(models=[(ChatOpenAI(base_url=url, model="m", api_key="k", **more), CARD)], budgets=CAP)


def _streaming(url: str) -> Any:
    return _openai(url, streaming=True, stream_usage=True)


def _nested(url: str) -> Any:
    inner = ChatRouter(models=[(ChatOpenAI(base_url=url, model="m", api_key="k"), CARD)])
    return ChatRouter(models=[(inner, CARD)], budgets=CAP)


def _mistral(url: str) -> Any:
    return ChatRouter(models=[(ChatMistralAI(endpoint=url, model="m", api_key="k"), CARD)], budgets=CAP)


def _endpoint(url: str) -> Any:
    return ChatRouter(models=[(ChatEndpoint(base_url=url, model="m", api_key="k"), CARD)], budgets=CAP)


def _llama(url: str) -> Any:
    return RouterLLM(models=[(OpenAILike(api_base=url, model="m", api_key="k", is_chat_model=True), CARD)], budgets=CAP)


def _chain(url: str) -> Any:
    return RouterLLM(models=[(ChatOpenAI(base_url=url, model="m", api_key="k"), CARD)], budgets=CAP)


def _llama_endpoint(url: str) -> Any:
    return RouterLLM(models=[{**CARD, "endpoint": {"base_url": url, "model": "m"}}], budgets=CAP)


def _read(llm: Any) -> None:
    if isinstance(llm, RouterLLM):
        list(llm.stream_chat([ChatMessage("hi")]))
        return
    told: Any = None
    for chunk in llm.stream("hi"):
        told = chunk if told is None else told + chunk
    assert told.response_metadata["router"]["cost_usd"] == pytest.approx(float(TRUE))


def _aread(llm: Any) -> None:
    async def read() -> None:
        stream = await llm.astream_chat([ChatMessage("hi")]) if isinstance(llm, RouterLLM) else llm.astream("hi")
        async for _ in stream:
            pass

    asyncio.run(read())


def _booked(llm: Any) -> None:
    (call,) = llm.router.ledger.calls()
    assert (call.input_tokens, call.output_tokens, call.estimated) == (1_000, 100, False)
    assert call.cost_usd == TRUE
    assert llm.router.budgets.rows()[0]["spent_usd"] == pytest.approx(float(TRUE))


@pytest.mark.parametrize("read", [_read, _aread])
@pytest.mark.parametrize("parts", [GROWING, REPEATED], ids=["growing", "repeated"])
@pytest.mark.parametrize("make", [_openai, _nested, _mistral, _endpoint, _llama, _chain, _llama_endpoint])
def test_what_was_told_last_is_booked(
    make: Callable[[str], Any], parts: list[Any], read: Callable[[Any], None]
) -> None:
    if make is _mistral and parts is REPEATED:
        pytest.skip("ChatMistralAI passes over chunks without choices")
    with ChatServer(sse(*parts, headers=CLOSE)) as server:
        llm = make(server.base_url)
        read(llm)
        _booked(llm)


@pytest.mark.parametrize("parts", [GROWING, REPEATED], ids=["growing", "repeated"])
def test_so_it_is_where_the_answer_is_gathered_or_read_as_events(parts: list[Any]) -> None:
    def events(llm: Any) -> None:
        stream = llm.stream_events("hi", version="v3")
        list(stream)

    async def aevents(llm: Any) -> None:
        async for _ in await llm.astream_events("hi", version="v3"):
            pass

    async def older(llm: Any) -> None:
        async for _ in llm.astream_events("hi", version="v2"):
            pass

    reads: list[Callable[[Any], Any]] = [
        lambda llm: llm.invoke("hi"), lambda llm: asyncio.run(llm.ainvoke("hi")), events,
        lambda llm: asyncio.run(aevents(llm)), lambda llm: asyncio.run(older(llm)),
    ]  # fmt: skip
    with ChatServer(sse(*parts, headers=CLOSE)) as server:
        for read in reads:
            llm = _streaming(server.base_url)
            read(llm)
            _booked(llm)


def test_and_of_answers_with_a_schema() -> None:
    schema = {"title": "T", "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    pieces = [{"index": 0, "id": "t", "function": {"name": "T", "arguments": '{"n"'}},
              {"index": 0, "function": {"arguments": ": 1}"}}]  # fmt: skip
    parts = [{**piece(role="assistant", tool_calls=[p]), **counts(50 + n)} for n, p in enumerate(pieces)]
    parts.append({**piece("", "tool_calls"), **counts(100)})
    with ChatServer(sse(*parts, headers=CLOSE)) as server:
        llm = _openai(server.base_url, stream_usage=True)
        assert list(llm.with_structured_output(schema, method="function_calling").stream("hi"))[-1] == {"n": 1}
        _booked(llm)


@pytest.mark.parametrize("make", [_openai, _endpoint, _llama, _chain, _llama_endpoint])
@pytest.mark.parametrize(
    "wrong", [{"prompt_tokens": -5, "completion_tokens": 7}, {"prompt_tokens": 9, "completion_tokens": -1}]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_count_below_nothing_tells_nothing(make: Callable[[str], Any], wrong: Any, stream: bool) -> None:
    told = {"usage": {**wrong, "total_tokens": 2}}
    step = sse(piece("w w w"), piece("", "stop"), {**ALONE, **told}, headers=CLOSE)
    if not stream:
        step = reply({**completion("w w w"), **told}, headers=CLOSE)
    with ChatServer(step) as server:
        llm = make(server.base_url)
        if isinstance(llm, RouterLLM):
            list(llm.stream_chat([ChatMessage("hi")])) if stream else llm.chat([ChatMessage("hi")])
        else:
            list(llm.stream("hi")) if stream else llm.invoke("hi")
        (call,) = llm.router.ledger.calls()
    assert call.estimated
    assert call.input_tokens > 0 < call.output_tokens
