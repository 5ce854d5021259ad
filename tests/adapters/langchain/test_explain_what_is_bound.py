"""`explain` on a bound router says what its call would do."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core.load import dumpd
from langchain_core.runnables import Runnable
from pydantic import BaseModel

from langchain_router import ChatRouter, ConfigError


class Joke(BaseModel):
    """A joke."""

    setup: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def router() -> ChatRouter:
    plain = (Scripted(name_="plain"), {"tool_calling": False, "structured_output": False})
    able = (Scripted(name_="able"), {"tool_calling": True, "structured_output": True})
    return ChatRouter(models=[plain, able], policy="single")


BINDINGS: dict[str, Any] = {
    "bind_tools": lambda model: model.bind_tools([add]),
    "with_structured_output": lambda model: model.with_structured_output(Joke, include_raw=True),
    "bind": lambda model: model.bind(tools=[{"type": "function", "function": {"name": "f"}}]),
    "bind after with_config": lambda model: model.with_config(tags=["t"]).bind_tools([add]),
    "bind, bind": lambda model: model.bind_tools([add]).bind(stop=["."]).with_config(tags=["t"]),
    "pin": lambda model: model.with_config(configurable={"router": {"pin": "fake/able"}}),
    "bind and pin": lambda model: model.bind(stop=["."]).with_config(configurable={"router": {"pin": "fake/able"}}),
}


@pytest.mark.parametrize("name", BINDINGS)
def test_it_chooses_as_the_call_does(name: str) -> None:
    model = router()
    bound: Runnable[Any, Any] = BINDINGS[name](model)
    assert model.explain("x").chosen.id == "fake/plain"
    assert bound.explain("x").chosen.id == "fake/able"  # type: ignore[attr-defined]  # a binding passes attributes on
    bound.invoke("x")
    assert model.router.ledger.calls()[-1].model == "fake/able"


def test_terms_of_the_call_go_over_those_that_are_bound() -> None:
    bound = router().bind(stop=["."])
    assert bound.explain("x", pin="fake/able").chosen.id == "fake/able"
    with pytest.raises(ConfigError, match=r"configurable\.router"):
        bound.explain("x", config={"configurable": {"router": "able"}})


def test_a_bound_router_is_written_down_as_any_binding() -> None:
    plain, routed = (dumpd(model.bind(stop=["."])) for model in (Scripted(), router()))
    assert routed["id"] == plain["id"]
