"""What routed calls cost, as their user sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import httpx
import pytest
from fakes import Scripted
from langchain_core.caches import InMemoryCache

from capability_router import ModelCard, Price
from langchain_router import (
    ChatRouter,
    RouterCallbackHandler,
    router_costs,
    routing,
)

DOWN = httpx.ConnectError("no route")


def router(*models: Any, **settings: Any) -> ChatRouter:
    return ChatRouter(models=list(models), **{"policy": "single", **settings})


def priced(name: str, **more: Any) -> tuple[Scripted, ModelCard]:
    return Scripted(name_=name, **more), ModelCard(id=name, price=Price(input_mtok=1, output_mtok=2))


def test_the_callback_handler_adds_up_costs_by_tag() -> None:
    handler = RouterCallbackHandler()
    model = router(priced("x"))
    model.invoke("hi", {"callbacks": [handler], "tags": ["a"]})
    (model | (lambda m: m.content)).invoke("hi", {"callbacks": [handler], "tags": ["b"]})
    each = 0.000016  # 10 tokens at 1 and 3 at 2 USD per million
    assert handler.total_cost_usd == pytest.approx(2 * each)
    assert handler.by("tags") == pytest.approx({"a": each, "b": each})
    assert [call["model"] for call in handler.calls] == ["x", "x"]
    with router_costs() as costs:
        model.invoke("hi")
        list(model.stream("hi"))
    assert costs.total_cost_usd == pytest.approx(2 * each)


def test_a_cache_hit_costs_nothing() -> None:
    child, card = priced("x")
    child.cache = InMemoryCache()
    model = router((child, card))
    model.invoke("hi")
    assert model.invoke("hi").response_metadata["router"]["cost_usd"] == 0
    assert len(child.calls) == 1


def test_usage_metadata_holds_no_floats() -> None:
    reply = router(priced("x")).invoke("hi")
    assert all(isinstance(v, int) for v in reply.usage_metadata.values())
    assert reply.response_metadata["router"]["cost_usd"] == pytest.approx(0.000016)


def test_costs_of_a_stream_that_a_web_server_reads_step_by_step_in_contexts_of_its_own() -> None:
    model, seen = router(priced("x")), []

    def stream() -> Iterator[Any]:
        with routing(tenant="acme"), router_costs() as costs:
            yield from model.stream("hi")
        seen.append(costs)

    steps = stream()
    while copy_context().run(next, steps, None) is not None:
        pass
    assert [call["tenant"] for call in seen[0].calls] == ["acme"]
