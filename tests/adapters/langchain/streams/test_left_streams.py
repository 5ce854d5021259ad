"""A stream that is left half way as its event loop ends: nothing is complained of, and all is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_openai import ChatOpenAI
from loopback.chat_server import ChatServer, piece, sse

from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter

SLOW = sse(piece("a", role="assistant"), piece("b"), 0.2, piece(finish="stop"), headers=["connection: close"])


class Slow(AsyncCallbackHandler):
    """Keeps whoever closes a stream waiting."""

    async def on_llm_error(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0.02)

    async def on_chain_error(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0.02)


def _model(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=url, api_key="k")


ROUTERS: dict[str, Callable[[str], ChatRouter]] = {
    "plain": lambda url: ChatRouter(models=[_model(url)]),
    "with clocks": lambda url: ChatRouter(models=[_model(url)], timeouts={"between_tokens": 5}),
    "hedged": lambda url: ChatRouter(models=[_model(url), _model(url.replace("127.0.0.1", "localhost"))], hedge=True),
    "within another": lambda url: ChatRouter(models=[ChatRouter(models=[_model(url)])]),
    "resumed": lambda url: ChatRouter(models=[_model(url)], resume=True),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_the_loop_has_nothing_to_complain_of(name: str) -> None:
    complaints: list[dict[str, Any]] = []
    kept: list[Any] = []  # else it would be closed by the end of the function that reads it

    async def leave(llm: ChatRouter) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        chunks = llm.astream("hi", config={"callbacks": [Slow()]})
        kept.append(chunks)
        assert (await anext(chunks)).content == "a"

    with ChatServer(SLOW) as server:
        llm = ROUTERS[name](server.base_url)
        asyncio.run(leave(llm))
    assert complaints == []
    assert [row["in_flight"] for row in llm.router.health()] == [0] * len(llm.router.health())
    assert [call.fault for call in llm.router.ledger.calls()] == ["cancelled"]
    assert_books_balanced(llm.router)
