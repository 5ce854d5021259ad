"""`n` in every place where LangChain's users say it reaches what a cap reserves."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from capability_router import BudgetExceeded, ModelCard, Price
from langchain_router import ChatRouter
from langchain_router.fleet.description import describe

CARD = ModelCard(id="x", max_output_tokens=100, price=Price(input_mtok=0, output_mtok=1))


def router(**fields: Any) -> ChatRouter:
    cap = {"scope": "global", "limit_usd": 2.5 * 100 / 1e6}
    return ChatRouter(models=[(Scripted(name_="x"), CARD)], policy="single", budgets=[cap], **fields)


def test_the_words_of_a_call() -> None:
    calls = [
        lambda n: router().bind(n=n).invoke("hi"),
        lambda n: router().invoke("hi", n=n),
        lambda n: router().generate([[HumanMessage("hi")]], n=n),
        lambda n: list(router().stream("hi", n=n)),
        lambda n: router().bind_tools([], n=n).invoke("hi"),
        lambda n: router().invoke("hi", extra_body={"n": n}),
    ]
    for call in calls:
        call(2)
        with pytest.raises(BudgetExceeded):
            call(3)


def test_the_wrapped_models_own() -> None:
    told = describe(ChatOpenAI(model="m", api_key="k", n=4))
    assert told is not None
    assert told.fields["answers"] == 4
    told = describe(ChatOpenAI(model="m", api_key="k"))
    assert told is not None
    assert told.fields["answers"] is None


def test_what_a_call_of_several_answers_is_expected_to_cost() -> None:
    llm = router()
    one = llm.explain("hi").chosen.cost_pico
    assert one
    assert llm.explain("hi", n=3).chosen.cost_pico == 3 * one


def test_an_output_limit_that_is_bound_with_tools_is_what_a_cap_reserves() -> None:
    llm = router()
    llm.bind_tools([], max_tokens=80).bind(n=3).invoke("hi")
    with pytest.raises(BudgetExceeded):
        llm.bind_tools([], max_tokens=90).bind(n=3).invoke("hi")
