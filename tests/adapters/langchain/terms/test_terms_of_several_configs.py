"""Terms that are set for good stay when a call, or a further binding, has terms of its own: above all data rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from langchain_router import ChatRouter, ConfigError, routing

EU: dict[str, Any] = {"tenant": "acme", "data": {"regions": ["eu"]}}


class Joke(BaseModel):
    """A joke."""

    setup: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fleet() -> ChatRouter:
    """The first one would be taken without a rule."""
    cards = {
        "us": {"data": {"regions": ["us"], "retention": "zero"}},
        "eu": {"data": {"regions": ["eu"], "retention": "30d"}},
        "eu-zero": {"data": {"regions": ["eu"], "retention": "zero"}},
    }
    able = {"tool_calling": True, "structured_output": True}
    return ChatRouter([(Scripted(name_=name), {**card, **able}) for name, card in cards.items()], policy="single")


def terms(**stated: Any) -> RunnableConfig:
    return {"configurable": {"router": stated}}


BOUND: dict[str, Callable[[ChatRouter], Any]] = {
    "with_config": lambda llm: llm.with_config(terms(**EU)),
    "keywords": lambda llm: llm.with_config(**terms(**EU)),
    "twice": lambda llm: llm.with_config(terms(**EU)).with_config(terms(tags=["t"])),
    "another key": lambda llm: llm.with_config(terms(**EU)).with_config(configurable={"thread_id": "1"}),
    "bind": lambda llm: llm.with_config(terms(**EU)).bind(stop=["."]),
    "tools": lambda llm: llm.with_config(terms(**EU)).bind_tools([add]),
    "tools before": lambda llm: llm.bind_tools([add]).with_config(terms(**EU)),
    "structured": lambda llm: llm.with_config(terms(**EU)).with_structured_output(Joke, include_raw=True),
    "retry": lambda llm: llm.with_config(terms(**EU)).with_retry(),
    "retry before": lambda llm: llm.with_retry().with_config(terms(**EU)),
    "types": lambda llm: llm.with_config(terms(**EU)).with_types(output_type=str),
    "listeners": lambda llm: llm.with_config(terms(**EU)).with_listeners(on_end=print),
}


@pytest.mark.parametrize("name", BOUND)
async def test_a_call_with_a_term_of_its_own_is_held_to_the_data_rules(name: str) -> None:
    llm = fleet()
    bound, own = BOUND[name](llm), terms(tags=["nightly"])
    assert bound.explain("x", config=own).chosen.id == "fake/eu"
    bound.invoke("x", own)
    await bound.ainvoke("x", own)
    list(bound.stream("x", own))
    async for _ in bound.astream("x", own):
        pass
    bound.batch(["x"], [own])
    calls = llm.router.ledger.calls()
    assert {call.model for call in calls} <= {"fake/eu", "fake/eu-zero"}  # the second where no answer fits the schema
    assert {(call.tenant, call.tags) for call in calls} == {("acme", ("nightly",))}
    assert len({call.request_id for call in calls}) == 5


def test_rules_of_different_names_hold_together_and_the_last_of_a_name_holds() -> None:
    llm = fleet()
    eu = llm.with_config(terms(**EU))
    eu.invoke("x", terms(data={"retention": "zero"}, tenant="other"))
    eu.invoke("x", terms(data={"regions": ["us"]}))
    with routing(data={"retention": "zero"}):
        eu.invoke("x")
    calls = llm.router.ledger.calls()
    assert [(call.model, call.tenant) for call in calls] == [
        ("fake/eu-zero", "other"), ("fake/us", "acme"), ("fake/eu-zero", "acme"),
    ]  # fmt: skip


def test_what_is_no_mapping_is_told() -> None:
    with pytest.raises(ConfigError, match=r"configurable\.router must be a mapping of routing terms, got str"):
        fleet().with_config(terms(**EU)).invoke("x", {"configurable": {"router": "acme"}})


def test_tools_are_bound_with_the_signature_that_others_look_for() -> None:
    bind = fleet().with_config(terms(**EU)).bind_tools
    assert "parallel_tool_calls" in inspect.signature(bind).parameters


def test_the_deadline_of_a_block_holds_instead_of_the_routers_time_limit() -> None:
    llm = ChatRouter([Scripted()], timeout=30)
    given = [llm._call("x", None, {}, "invoke").terms_within(here) for here in _surroundings()]
    assert given == [{"deadline_s": 30}, {}]


def _surroundings() -> list[Any]:
    with routing() as nothing, routing(deadline_s=0.4) as short:
        return [nothing, short]
