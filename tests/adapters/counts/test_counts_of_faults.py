"""Tokens that a provider told of an answer that is none are booked, and by every client alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, Step, completion, piece, reply, sse

from capability_router import RouterError
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

CARD = {"id": "a", "price": {"input_mtok": 3, "output_mtok": 15}, "context_window": 8_000, "max_output_tokens": 1_000}
CLOSE = ["connection: close"]  # event loops end with their test
CHAT = [ChatMessage("hi")]


def _openai(url: str) -> Any:
    model = ChatOpenAI(base_url=url, model="m", api_key="k", stream_usage=True)
    return ChatRouter(models=[(model, CARD)], retry={"attempts": 1})


def _built_in(url: str) -> Any:
    return ChatRouter(models=[{**CARD, "endpoint": {"base_url": url, "model": "m"}}], retry={"attempts": 1})


def _llama(url: str) -> Any:
    model = OpenAILike(api_base=url, model="m", api_key="k", is_chat_model=True, max_retries=0)
    return RouterLLM(models=[(model, CARD)], retry={"attempts": 1})


def _llama_built_in(url: str) -> Any:
    return RouterLLM(models=[{**CARD, "endpoint": {"base_url": url, "model": "m"}}], retry={"attempts": 1})


MAKES = [_openai, _built_in, _llama, _llama_built_in]


def _ask(llm: Any) -> None:
    llm.chat(CHAT) if isinstance(llm, RouterLLM) else llm.invoke("hi")


def _aask(llm: Any) -> None:
    asyncio.run(llm.achat(CHAT) if isinstance(llm, RouterLLM) else llm.ainvoke("hi"))


def _read(llm: Any) -> None:
    list(llm.stream_chat(CHAT) if isinstance(llm, RouterLLM) else llm.stream("hi"))


def _aread(llm: Any) -> None:
    async def read() -> None:
        async for _ in await llm.astream_chat(CHAT) if isinstance(llm, RouterLLM) else llm.astream("hi"):
            pass

    asyncio.run(read())


def _failed(make: Callable[[str], Any], step: Step, ask: Callable[[Any], None]) -> Any:
    """The line in the ledger of a call that got no answer."""
    with ChatServer(step) as server:
        llm = make(server.base_url)
        with pytest.raises(RouterError):
            ask(llm)
    (call,) = llm.router.ledger.calls()
    assert call.fault
    return call


def _told(prompt: int, output: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}}


ALONE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
ERROR = {"error": {"message": "boom", "code": 500}}


@pytest.mark.parametrize("ask", [_ask, _aask])
@pytest.mark.parametrize("choices", [[], None])
@pytest.mark.parametrize("make", [_built_in, _llama, _llama_built_in])
def test_of_a_body_without_choices(make: Callable[[str], Any], choices: Any, ask: Callable[[Any], None]) -> None:
    body = {**completion(), **_told(100, 7), "choices": choices}
    call = _failed(make, reply(body, headers=CLOSE), ask)
    assert (call.input_tokens, call.output_tokens, call.estimated) == (100, 7, False)
    assert call.cost_pico == 100 * 3_000_000 + 7 * 15_000_000


@pytest.mark.parametrize("ask", [_ask, _aask])
def test_chat_openai_drops_them_so_that_an_estimate_stands_in(ask: Callable[[Any], None]) -> None:
    call = _failed(_openai, reply({**completion(), **_told(100, 7), "choices": []}, headers=CLOSE), ask)
    assert call.estimated
    assert call.cost_pico == call.input_tokens * 3_000_000 > 0


@pytest.mark.parametrize("read", [_read, _aread])
@pytest.mark.parametrize("make", MAKES)
def test_of_a_stream_that_ends_in_an_error(make: Callable[[str], Any], read: Callable[[Any], None]) -> None:
    frames = b"".join(_frame(part) for part in (piece("hi", role="assistant"), {**ALONE, **_told(1_000, 70)}, ERROR))
    call = _failed(make, sse(frames, end="clean", headers=CLOSE), read)
    assert (call.input_tokens, call.output_tokens, call.estimated) == (1_000, 70, False)
    assert call.cost_pico == 1_000 * 3_000_000 + 70 * 15_000_000


def _frame(part: Any) -> bytes:
    import json

    return b"data: " + json.dumps(part).encode() + b"\n\n"


@pytest.mark.parametrize("ask", [_ask, _aask])
@pytest.mark.parametrize(("body", "kind"), [(b"<html>hi</html>", "text/html"), (b"", "application/json")])
@pytest.mark.parametrize("make", MAKES)
def test_a_200_that_says_nothing_is_estimated(
    make: Callable[[str], Any], body: bytes, kind: str, ask: Callable[[Any], None]
) -> None:
    call = _failed(make, reply(body, kind=kind, headers=CLOSE), ask)
    assert (call.estimated, call.output_tokens) == (True, 0)
    assert call.cost_pico == call.input_tokens * 3_000_000 > 0
