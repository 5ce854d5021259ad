"""What may be set on a ChatRouter that exists: what its calls read, and nothing that could have no effect."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from fakes import Scripted

from langchain_router import ChatRouter, ConfigError


@pytest.mark.parametrize("name", ["max_retries", "api_key", "cache", "router", "fleet"])
def test_what_went_into_the_router_can_not_be_changed(name: str) -> None:
    model = ChatRouter(models=[Scripted(name_="x")])
    before = getattr(model, name)
    given: Any = {"max_retries": 7, "api_key": "k", "cache": True}.get(name, object())
    with pytest.raises(ConfigError, match=f"{name}.*make a ChatRouter with it"):
        setattr(model, name, given)
    assert getattr(model, name) is before
    setattr(model, name, before)  # the same may be said again


def test_what_is_read_at_each_call_has_its_effect() -> None:
    child = Scripted(name_="x")
    model = ChatRouter(models=[child])
    model.temperature, model.max_tokens, model.timeout = 0.25, 9, 20.0
    message = model.invoke("hi")
    assert child.options[-1]["temperature"] == 0.25
    assert "router" in message.response_metadata
    model.annotate = False
    assert "router" not in model.invoke("hi").response_metadata


def test_copies_are_made_as_before() -> None:
    model = ChatRouter(models=[Scripted(name_="x")], max_retries=2)
    for twin in (copy.copy(model), copy.deepcopy(model), model.model_copy(update={"temperature": 0.5})):
        assert twin.max_retries == 2
        assert twin.router is model.router
