"""Routing terms, and the keywords of calls and of the constructor."""

from __future__ import annotations

import pytest
from fakes import Scripted
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from routers import router

from langchain_router import ChatRouter, ConfigError, routing


def test_terms_come_from_the_context_and_the_config() -> None:
    model = router(Scripted(name_="x"), Scripted(name_="y"))
    with routing(tenant="acme", pin="fake/y"):
        assert model.invoke("hi").response_metadata["router"]["model"] == "fake/y"
        config = {"configurable": {"router": {"pin": "fake/x", "tenant": "other"}}}
        assert model.invoke("hi", config).response_metadata["router"]["model"] == "fake/x"
    assert set(model.router.ledger.total(by=("tenant",))) == {("acme",), ("other",)}
    with pytest.raises(ConfigError, match="tenant"):
        model.invoke("hi", {"configurable": {"router": {"tenat": "x"}}})


def test_the_keyword_model_pins_a_candidate_or_is_passed_on() -> None:
    first, second = Scripted(name_="x"), Scripted(name_="y")
    model = router(first, second)
    assert model.invoke("hi", model="fake/y").response_metadata["router"]["model"] == "fake/y"
    assert "model" not in second.options[0]
    model.invoke("hi", model="unheard-of")
    assert first.options[0]["model"] == "unheard-of"


def test_a_model_of_another_name_is_not_booked_at_the_candidates_price() -> None:
    priced = {"price": {"input_mtok": 1, "output_mtok": 1}}
    router = ChatRouter(models=[(GenericFakeChatModel(messages=iter([AIMessage("a"), AIMessage("b")])), priced)])
    assert router.invoke("hi").response_metadata["router"]["cost_usd"] is not None
    assert router.invoke("hi", model="another").response_metadata["router"]["cost_usd"] is None


def test_constructor_keywords_reach_the_chosen_model_and_calls_override_them() -> None:
    child = Scripted()
    model = router(child, temperature=0.5, stop=["x"])
    model.invoke("hi")
    model.invoke("hi", temperature=0.9)
    assert [o["temperature"] for o in child.options] == [0.5, 0.9]
    assert child.temperature is None  # the user's own object is left alone
