"""No answer is foreseen longer than it may become: by the call's limit, the wrapped model's or the model's own."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from capability_router import Price, Request, routing
from capability_router.testing import ask, scripted_router
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

DEAR, CHEAP = Price(1, 10), Price(1, 6)
NOWHERE = "http://127.0.0.1:9/v1"


def router_of(limited: dict[str, Any], **settings: Any) -> Any:
    cards = {"a": {"price": DEAR, **limited}, "b": {"price": CHEAP}}
    return scripted_router({id: ["ok"] for id in cards}, cards=cards, policy="cheapest", **settings)


def output_pico(router: Any, request: Request, id: str = "a") -> float:
    """What the output is expected to cost."""
    (cost,) = [c.cost_pico for c in router.explain(request).candidates if c.id == id]
    return cost - request.input_tokens * 10**6


@pytest.mark.parametrize("limited", [{"output_reserve": 50}, {"max_output_tokens": 50}])
def test_a_model_that_may_give_little_is_the_cheaper(limited: dict[str, int]) -> None:
    plan = router_of(limited).explain(Request(("hi",), input_tokens=8))
    assert plan.chosen.id == "a"
    assert plan.chosen.cost_pico == 8 * 10**6 + 50 * 10**7


def test_the_limit_of_the_call_counts_before_the_wrapped_models() -> None:
    router = router_of({"output_reserve": 50})
    assert output_pico(router, Request(("hi",), input_tokens=8, max_tokens=5)) == 5 * 10**7
    assert output_pico(router, Request(("hi",), input_tokens=8, max_tokens=90)) == 90 * 10**7


def test_the_model_gives_no_more_than_it_can_whatever_the_wrapped_model_asks_for() -> None:
    assert output_pico(
        router_of({"output_reserve": 90, "max_output_tokens": 40}), Request(("hi",), input_tokens=8)
    ) == (40 * 10**7)


def test_a_limit_above_the_usual_length_changes_nothing() -> None:
    assert output_pico(router_of({"output_reserve": 4_000}), Request(("hi",), input_tokens=8)) == 220 * 10**7


def test_several_answers_have_the_limit_each() -> None:
    assert output_pico(router_of({"output_reserve": 50}), Request(("hi",), input_tokens=8, answers=3)) == 150 * 10**7


def test_what_was_learned_of_its_answers_is_limited_too() -> None:
    router = router_of({"output_reserve": 300})
    for _ in range(50):
        router.planner.lengths.learn("a", "chat", 220, 2_000)
    assert output_pico(router, Request(("hi",), input_tokens=8)) == 300 * 10**7
    assert output_pico(router, Request(("hi",), input_tokens=8, max_tokens=280)) == 280 * 10**7


def test_a_request_has_room_under_its_cap_for_what_the_model_can_give_and_no_more() -> None:
    router = router_of({"output_reserve": 90, "max_output_tokens": 40})
    for cap, models in ((0.000408, ["a"]), (0.000407, [])):
        with routing(max_cost_usd=cap, allow=["a"]):
            if models:
                ask(router, Request(("hi",), input_tokens=8))
            plan = router.explain(Request(("hi",), input_tokens=8))
        assert [c.id for c in plan.candidates] == models


@pytest.mark.parametrize(
    "wrapper",
    [
        lambda **k: ChatRouter(
            models=[
                (ChatOpenAI(model="m", api_key="k", base_url=NOWHERE, max_tokens=50), {"id": "a", "price": DEAR}),
                (ChatOpenAI(model="m", api_key="k", base_url=NOWHERE), {"id": "b", "price": CHEAP}),
            ],
            **k,
        ),
        lambda **k: RouterLLM(
            models=[
                (OpenAILike(model="m", api_key="k", api_base=NOWHERE, max_tokens=50), {"id": "a", "price": DEAR}),
                (OpenAILike(model="m", api_key="k", api_base=NOWHERE), {"id": "b", "price": CHEAP}),
            ],
            **k,
        ),
    ],
)
def test_of_wrapped_models_the_limited_one_is_taken(wrapper: Any) -> None:
    plan = wrapper(policy="cheapest").explain("hi")
    assert plan.chosen.id == "a"
    assert plan.chosen.cost_pico == plan.chosen.input_tokens * 10**6 + 50 * 10**7
