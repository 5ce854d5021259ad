"""Copies, pickles and wrappers of a ChatRouter share one core."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any
from weakref import ref

import httpx
import pytest
from fakes import Scripted
from langchain_core import exceptions as core
from langchain_core.runnables import ConfigurableField

from langchain_router import (
    ChatEndpoint,
    ChatRouter,
    ConfigError,
)

DOWN = httpx.ConnectError("no route")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def router(*models: Any, **settings: Any) -> ChatRouter:
    return ChatRouter(models=list(models), **{"policy": "single", **settings})


def test_copies_share_one_core() -> None:
    model = router(Scripted())
    for other in (copy.deepcopy(model), model.model_copy(), model.bind(stop=["x"]).bound, copy.copy(model)):
        assert other.router is model.router
        assert other.fleet is model.fleet
    configurable = model.configurable_fields(temperature=ConfigurableField(id="t"))
    configurable.invoke("hi", {"configurable": {"t": 0.3}})
    assert len(model.router.ledger.calls()) == 1


def test_defaults_that_change_with_every_request_leave_no_models_behind() -> None:
    model = router(Scripted())
    bound = model.bind_tools([add])
    made = []
    for number in range(700):
        model.temperature = number / 1_000
        bound.invoke("hi")
        made += [ref(child) for _, child in model.children]
    gc.collect()
    assert sum(child() is not None for child in made) < 300
    assert bound.invoke("hi").response_metadata["router"]["attempts"] == 1


@pytest.mark.parametrize("name", ["max_retries", "api_key", "cache", "router", "fleet"])
def test_a_copy_can_have_no_other_of_what_is_shared(name: str) -> None:
    model, other = router(Scripted(), max_retries=1), router(Scripted(), max_retries=2)
    values = {"max_retries": 3, "api_key": "sk-other", "cache": True, "router": other.router, "fleet": other.fleet}
    with pytest.raises(ConfigError, match=f"no other {name}"):
        model.model_copy(update={"temperature": 0.5, name: values[name]})
    same = model.model_copy(update={"temperature": 0.5, name: getattr(model, name)})
    assert same.router is model.router
    assert same.temperature == 0.5
    assert model.temperature is None


def test_a_copy_may_say_the_retries_that_are_in_force() -> None:
    model = ChatRouter(models=[Scripted()], retry={"attempts": 3})
    assert model.max_retries is None
    assert model.model_copy(update={"max_retries": 2}).max_retries == 2
    with pytest.raises(ConfigError, match="no other max_retries"):
        model.model_copy(update={"max_retries": 1})


def test_configurable_fields_reach_the_model() -> None:
    child = Scripted()
    model = router(child).configurable_fields(temperature=ConfigurableField(id="t"))
    model.invoke("hi", {"configurable": {"t": 0.3}})
    assert child.options[0]["temperature"] == 0.3


def test_a_router_can_be_pickled() -> None:
    model = router(ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m"))
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    assert again.explain("hi").chosen.id == "endpoint/m"


def test_with_retry_and_with_fallbacks_around_it() -> None:
    broken = router(Scripted(script=[DOWN]), retry={"attempts": 1})
    assert broken.with_fallbacks([router(Scripted(name_="y"))]).invoke("hi").content == "a b c"
    bound = broken.with_fallbacks([router(Scripted(name_="y"))]).bind_tools([add])
    assert len(bound.fallbacks) == 1
    flaky = router(Scripted(script=[DOWN, "a b c"]), retry={"attempts": 1})
    assert flaky.with_retry(retry_if_exception_type=(core.ModelError,), wait_exponential_jitter=False).invoke("hi")
