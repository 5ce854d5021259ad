"""One router, several tenants at once: each sees its own calls, costs and errors, and nothing of the others'."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fakes import Scripted

from capability_router import ModelCard, Price, RouterError, routing
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter, RouterCallbackHandler

TENANTS = tuple(f"tenant-{n}-inc" for n in range(6))
EACH = 5


def router() -> ChatRouter:
    """Every third call of the only model fails."""
    script = ["a b c", "d e f", httpx.ConnectError("no route")]
    card = ModelCard(id="m", price=Price(input_mtok=1, output_mtok=2))
    return ChatRouter(models=[(Scripted(name_="m", script=script), card)], policy="single", max_retries=0)


def seen(tenant: str, told: list[RouterError], handler: RouterCallbackHandler, replies: list[Any]) -> None:
    others = [name for name in TENANTS if name != tenant]
    shown = " ".join([*map(str, told), *map(repr, told), str(handler.calls), repr(handler), *map(str, replies)])
    assert not [name for name in others if name in shown]
    assert {call["tenant"] for call in handler.calls} == {tenant}
    assert len(handler.calls) == EACH


def checked(llm: ChatRouter, handlers: dict[str, RouterCallbackHandler]) -> None:
    ledger = llm.router.ledger
    assert_books_balanced(llm.router)
    assert set(ledger.total(by=("tenant",))) == {(tenant,) for tenant in TENANTS}
    for tenant, handler in handlers.items():
        own = ledger.of(tenant=tenant)
        assert float(own.total().cost_usd) == pytest.approx(handler.total_cost_usd)
        assert (own.total().calls, {c.tenant for c in own.calls()}) == (EACH, {tenant})
    assert sum(h.total_cost_usd for h in handlers.values()) == pytest.approx(float(ledger.total().cost_usd))


def test_in_threads() -> None:
    llm = router()
    handlers = {tenant: RouterCallbackHandler() for tenant in TENANTS}

    def work(tenant: str) -> None:
        told, replies = [], []
        with routing(tenant=tenant):
            for _ in range(EACH):
                try:
                    replies.append(llm.invoke("hi", {"callbacks": [handlers[tenant]]}))
                except RouterError as error:
                    told.append(error)
        seen(tenant, told, handlers[tenant], replies)

    with ThreadPoolExecutor(len(TENANTS)) as pool:
        list(pool.map(work, TENANTS))
    checked(llm, handlers)


async def test_in_one_event_loop() -> None:
    llm = router()
    handlers = {tenant: RouterCallbackHandler() for tenant in TENANTS}

    async def work(tenant: str) -> None:
        told, replies = [], []
        for _ in range(EACH):
            config: Any = {"callbacks": [handlers[tenant]], "configurable": {"router": {"tenant": tenant}}}
            try:
                replies.append(await llm.ainvoke("hi", config))
            except RouterError as error:
                told.append(error)
        seen(tenant, told, handlers[tenant], replies)

    await asyncio.gather(*map(work, TENANTS))
    checked(llm, handlers)
