"""A router as a candidate of a router: whoever adds up costs hears of every attempt once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fakes import Scripted

from langchain_router import AllCandidatesFailed, ChatRouter, RouterCallbackHandler, router_costs

PRICE = {"input_mtok": 1, "output_mtok": 2}
EACH = 0.000016  # 10 tokens at 1 and 3 at 2 USD per million
DOWN = httpx.ConnectError("no route")


def priced(name: str, **more: Any) -> tuple[Scripted, dict[str, Any]]:
    return Scripted(name_=name, **more), {"id": name, "price": PRICE}


def over(*models: Any, **settings: Any) -> ChatRouter:
    return ChatRouter(models=list(models), policy="single", **settings)


@pytest.mark.parametrize("card", [{"id": "inner"}, {"id": "inner", "price": PRICE}], ids=["unpriced", "priced"])
@pytest.mark.parametrize("depth", [1, 2])
async def test_one_request_is_one_cost_at_any_depth(card: dict[str, Any], depth: int) -> None:
    model = over(priced("x"))
    for _ in range(depth):
        model = over((model, card))
    handler = RouterCallbackHandler()
    config: Any = {"callbacks": [handler]}
    model.invoke("hi", config)
    list(model.stream("hi", config))
    await model.ainvoke("hi", config)
    assert [call["model"] for call in handler.calls] == ["x"] * 3
    assert handler.total_cost_usd == pytest.approx(3 * EACH)
    assert sum(call["input_tokens"] for call in handler.calls) == 30
    with router_costs() as costs:
        model.invoke("hi")
    assert costs.by("model") == pytest.approx({"x": EACH})


def test_a_model_beside_the_inner_router_is_counted_too() -> None:
    inner = over(priced("x", script=[DOWN]))
    handler = RouterCallbackHandler()
    over((inner, {"id": "inner", "price": PRICE}), priced("y")).invoke("hi", {"callbacks": [handler]})
    assert [(call["model"], call["ok"]) for call in handler.calls] == [(None, False), ("y", True)]
    assert handler.by("model")["y"] == pytest.approx(EACH)


def test_an_inner_router_that_answers_for_another_model_has_the_tokens() -> None:
    handler = RouterCallbackHandler()
    over(priced("y", script=[DOWN]), (over(priced("x")), {"id": "inner", "price": PRICE})).invoke(
        "hi", {"callbacks": [handler]}
    )
    assert [call["input_tokens"] for call in handler.calls] == [10, 0]
    assert handler.total_cost_usd == pytest.approx(EACH)


def test_a_request_that_fails_in_both_is_told_by_the_inner_one() -> None:
    handler = RouterCallbackHandler()
    model = over(over(priced("x", script=[DOWN])), retry={"attempts": 1})
    with pytest.raises(AllCandidatesFailed):
        model.invoke("hi", {"callbacks": [handler]})
    assert [call["ok"] for call in handler.calls] == [False]
