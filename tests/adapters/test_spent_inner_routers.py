"""A router within a router whose budget is spent is passed by; alone, its own error is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, completion, piece, reply, sse

from langchain_router import BudgetExceeded, ChatRouter
from llamaindex_router import RouterLLM

CAP = {"scope": "global", "limit_usd": 0.000001, "window": "total"}
CARD = {"price": {"input_mtok": 100, "output_mtok": 100}, "max_output_tokens": 1_000}


def _ask(llm: Any) -> str:
    return llm.chat([ChatMessage("hi")]).message.content if isinstance(llm, RouterLLM) else llm.invoke("hi").content


def _aask(llm: Any) -> str:
    if isinstance(llm, RouterLLM):
        return asyncio.run(llm.achat([ChatMessage("hi")])).message.content or ""
    return str(asyncio.run(llm.ainvoke("hi")).content)


def _stream(llm: Any) -> str:
    if isinstance(llm, RouterLLM):
        return "".join(chunk.delta or "" for chunk in llm.stream_chat([ChatMessage("hi")]))
    return "".join(str(chunk.content) for chunk in llm.stream("hi"))


def _served(stream: bool) -> ChatServer:
    if stream:
        return ChatServer(sse(piece("hello", role="assistant"), piece(finish="stop"), headers=["connection: close"]))
    return ChatServer(reply(completion(), headers=["connection: close"]))


@pytest.mark.parametrize("ask", [_ask, _aask, _stream])
@pytest.mark.parametrize("kind", [ChatRouter, RouterLLM])
def test_the_next_model_is_asked(kind: type[Any], ask: Callable[[Any], str]) -> None:
    with _served(ask is _stream) as dear, _served(ask is _stream) as cheap:
        own = {"id": "dear", "endpoint": {"base_url": dear.base_url, "model": "m"}, **CARD}
        inner = kind(models=[own], budgets=[CAP])
        beside = {"id": "b", "endpoint": {"base_url": cheap.base_url, "model": "m"}}
        outer = kind(models=[(inner, {"id": "inner"}), beside], policy="single")
        for _ in range(8):
            assert ask(outer) == "hello"
        assert (len(dear.seen), len(cheap.seen)) == (0, 8)
        assert {row["model"]: row["state"] for row in outer.router.health()} == {"inner": "closed", "b": "closed"}


@pytest.mark.parametrize("ask", [_ask, _aask, _stream])
@pytest.mark.parametrize("kind", [ChatRouter, RouterLLM])
def test_alone_it_says_so_itself(kind: type[Any], ask: Callable[[Any], str]) -> None:
    with _served(ask is _stream) as dear:
        own = {"id": "dear", "endpoint": {"base_url": dear.base_url, "model": "m"}, **CARD}
        outer = kind(models=[(kind(models=[own], budgets=[CAP]), {"id": "inner"})])
        with pytest.raises(BudgetExceeded, match="leaves no room"):
            ask(outer)
        assert not dear.seen
