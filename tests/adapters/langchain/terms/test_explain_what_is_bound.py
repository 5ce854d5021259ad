"""`explain` on a bound router says what its call would do."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from anthropic.resources import Messages
from fakes import Scripted
from google.genai.types import GenerateContentConfig
from langchain_anthropic import ChatAnthropic
from langchain_core.load import dumpd
from langchain_core.runnables import Runnable
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from ollama import Options
from openai.resources.chat import Completions
from openai.resources.responses import Responses
from pydantic import BaseModel

from capability_router.routing import check_terms
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


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("tennant", "tenant"), ("tag", "tags"), ("max_cost", "max_cost_usd"), ("deadline", "deadline_s"),
        ("quality_taget", "quality_target"), ("required_tags", "require_tags"), ("region", "regions"),
    ],
)  # fmt: skip
def test_a_misspelt_term_is_no_keyword_of_a_call(misspelt: str, meant: str) -> None:
    model = router()
    for explained in (model, model.bind(stop=["."]), model.bind_tools([add])):
        with pytest.raises(ConfigError, match=f"unknown routing term '{misspelt}'; did you mean '{meant}'?"):
            explained.explain("x", **{misspelt: "y"})  # type: ignore[attr-defined]  # a binding passes attributes on


CLASSES = [ChatOpenAI, AzureChatOpenAI, ChatAnthropic, ChatGoogleGenerativeAI, ChatGroq, ChatMistralAI, ChatOllama]
CALLS = [Completions.create, Responses.create, Messages.create, Options, GenerateContentConfig]


@pytest.mark.parametrize("source", [*CLASSES, *CALLS], ids=lambda s: s.__qualname__)
def test_no_keyword_that_is_known_is_taken_for_a_misspelt_term(source: Any) -> None:
    stated = source.model_fields if isinstance(source, type) else inspect.signature(source).parameters
    names = [name for name in stated if name not in ("self", "stream", "tools", "config", "tags")]
    assert len(names) > 10
    check_terms(dict.fromkeys(names))
