"""What LangChain wraps around a router can still be explained, and explains what its call does."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core.load import dumpd
from langchain_core.runnables import RunnableBinding
from langchain_core.runnables.retry import RunnableRetry

from langchain_router import AllCandidatesFailed, ChatRouter

TOOL = {"type": "function", "function": {"name": "f"}}
PIN = {"router": {"pin": "fake/able"}}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def router() -> ChatRouter:
    plain = (Scripted(name_="plain"), {"tool_calling": False})
    return ChatRouter(models=[plain, (Scripted(name_="able"), {"tool_calling": True})], policy="single")


WRAPPED: dict[str, Any] = {
    "bind_tools, with_retry": lambda model: model.bind_tools([add]).with_retry(),
    "with_retry, bind": lambda model: model.with_retry().bind(tools=[TOOL]),
    "with_config, with_retry": lambda model: model.with_config(configurable=PIN).with_retry(stop_after_attempt=2),
    "with_retry, with_config": lambda model: model.with_retry().with_config(configurable=PIN),
    "with_config, bind": lambda model: model.with_config(tags=["t"]).bind(tools=[TOOL]),
    "with_listeners, bind": lambda model: model.with_listeners(on_start=lambda run: None).bind(tools=[TOOL]),
    "with_types, bind": lambda model: model.with_types(output_type=str).bind(tools=[TOOL]),
    "bind_tools, with_fallbacks": lambda model: model.bind_tools([add]).with_fallbacks([Scripted()]),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_it_chooses_as_the_call_does(name: str) -> None:
    model = router()
    wrapped = WRAPPED[name](model)
    assert wrapped.explain("x").chosen.id == "fake/able"
    wrapped.invoke("x")
    assert model.router.ledger.calls()[-1].model == "fake/able"


def test_a_retry_still_retries_and_is_written_down_as_any() -> None:
    failing = Scripted(name_="x", script=[ConnectionError("gone")] * 4 + ["ok"])
    model = ChatRouter(models=[failing], max_retries=0, health={"consecutive": 100})
    retrying = model.with_retry(stop_after_attempt=5, wait_exponential_jitter=False)
    assert retrying.invoke("hi").content == "ok"
    assert len(failing.calls) == 5
    with pytest.raises(AllCandidatesFailed):
        model.with_retry(retry_if_exception_type=(KeyError,)).invoke("hi")
    assert isinstance(retrying, RunnableRetry)
    assert dumpd(retrying)["id"] == dumpd(Scripted().with_retry())["id"]


def test_wrappers_are_what_they_were() -> None:
    for wrapped in (router().with_config(tags=["t"]), router().with_types(output_type=str)):
        assert isinstance(wrapped, RunnableBinding)
        assert dumpd(wrapped)["id"] == dumpd(Scripted().with_config(tags=["t"]))["id"]
