"""Call keywords on routers over several providers: the common words reach each; what one doesn't take is no failing."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from fakes import Scripted
from langchain_anthropic import ChatAnthropic
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import AllCandidatesFailed, ChatRouter
from langchain_router.bindings import BOUND
from langchain_router.fleet.copies import with_defaults

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # google-genai's own


def add(a: int) -> int:
    """Add."""
    return a


@pytest.mark.parametrize("kind", ["google", "ollama"])
def test_it_goes_to_a_model_that_takes_it_and_counts_against_none(
    kind: str, server: Server, providers: ProviderServer
) -> None:
    strict = {
        "google": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k"),
        "ollama": ChatOllama(model="ok-o", base_url=providers.url),
    }[kind]
    lenient = ChatOpenAI(model="ok-y", base_url=server.url, api_key="k", use_responses_api=False)
    router = ChatRouter(models=[strict, lenient], policy="single")
    assert router.invoke("x", logit_bias={"1": 2}).response_metadata["router"]["model"] == "openai/ok-y"
    assert providers.seen == []
    assert router.router.ledger.calls()[0].fault == "unsupported"
    assert router.invoke("x").response_metadata["router"]["attempts"] == 1


@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize("kind", ["google", "ollama"])
async def test_temperature_and_max_tokens_reach_every_provider(
    kind: str, tools: bool, providers: ProviderServer
) -> None:
    model = {
        "google": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k", temperature=0.9),
        "ollama": ChatOllama(model="ok-o", base_url=providers.url, temperature=0.9, seed=1),
    }[kind]
    router = ChatRouter(models=[model])
    bound = router.bind_tools([add]) if tools else router
    for answer in (bound.invoke("x", temperature=0.5, max_tokens=7), await bound.ainvoke("x", temperature=0.5)):
        assert answer.tool_calls if tools else answer.content
    sent = [body.get("options") or body["generationConfig"] for _, body in providers.seen]
    assert [options["temperature"] for options in sent] == [0.5, 0.5]
    assert [options.get("num_predict") or options.get("maxOutputTokens") for options in sent] == [7, None]
    assert all(bool(body.get("tools")) is tools for _, body in providers.seen)
    assert model.temperature == 0.9


SECRET = "my password is 'hunter2', seed=7"


@pytest.mark.parametrize(
    ("kind", "said", "keywords"),
    [
        ("google", "ValidationError over the keyword logit_bias", {"logit_bias": {SECRET: 1}}),
        ("google", "ValidationError over the keywords house_style, logit_bias", {"house_style": 1, "logit_bias": 2}),
        ("google", "ValidationError over the keyword seed", {"seed": SECRET}),
        ("google", "ValueError over the keyword tool_choice", {"tool_choice": SECRET}),
        ("ollama", "TypeError over the keyword house_style", {"house_style": SECRET}),
        ("anthropic", "TypeError over the keyword seed", {"seed": SECRET}),
        ("openai", "TypeError over the keyword house_style", {"house_style": SECRET}),
        ("openai", "TypeError", {"response_format": SECRET}),  # which it doesn't name as a keyword
    ],
)
async def test_the_keyword_is_named_and_nothing_else(
    kind: str, said: str, keywords: dict[str, Any], server: Server, providers: ProviderServer
) -> None:
    model = {
        "google": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k"),
        "ollama": ChatOllama(model="ok-o", base_url=providers.url),
        "anthropic": ChatAnthropic(model="ok-a", base_url=providers.url, api_key="k"),
        "openai": ChatOpenAI(model="ok-y", base_url=server.url, api_key="k"),
    }[kind]
    told = f"does not support a part of the request: {said} ("
    router = ChatRouter(models=[model])
    with pytest.raises(AllCandidatesFailed) as caught:
        router.invoke(SECRET, **keywords)
    with pytest.raises(AllCandidatesFailed) as late:
        await router.bind(**keywords).ainvoke(SECRET)
    for error in (caught, late):
        assert told in str(error.value)
        assert "hunter2" not in str(error.value)
    assert providers.seen == []


def test_of_a_bound_choice_the_name_is_told() -> None:
    router = ChatRouter(models=[Particular(name_="p")])
    with pytest.raises(AllCandidatesFailed, match="ValueError over the keyword strict "):
        router.bind_tools([add], strict=True).invoke("x")


class Particular(Scripted):
    """Binds tools, but not strictly."""

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        raise ValueError("`strict` isn't known here, nor is 'this'")


def test_one_tool_call_at_a_time_is_asked_of_those_that_can_be_asked() -> None:
    """langgraph-supervisor asks so wherever `bind_tools` states the keyword; by itself it asks no Gemini and no o3."""
    models: list[Any] = [
        ChatGoogleGenerativeAI(model="g", api_key="k"), ChatOllama(model="o"), ChatOpenAI(model="y", api_key="k"),
        *(ChatOpenAI(model=name, api_key="k") for name in ("o3", "o4-mini-2025-04-16")),
    ]  # fmt: skip
    router = ChatRouter(models=models)
    assert "parallel_tool_calls" in inspect.signature(router.bind_tools).parameters
    bound = router.bind_tools([add], parallel_tool_calls=False).kwargs[BOUND]
    assert [bound.on(model).kwargs.get("parallel_tool_calls") for model in models] == [None, None, False, None, None]


@pytest.mark.parametrize("beside", [{}, {"reasoning_effort": "none"}], ids=["thinks", "does not"])
@pytest.mark.parametrize("name", ["gpt-5.4-mini", "gpt-4.1-mini"])
def test_a_default_temperature_is_sent_where_the_class_would_send_it(
    name: str, beside: dict[str, Any], server: Server
) -> None:
    """OpenAI answers 400 to one for a model that thinks; ChatOpenAI leaves it out, but only when it is made."""
    given = {"model": name, "base_url": server.url, "api_key": "k", **beside}
    ChatOpenAI(**given, temperature=0).invoke("x")
    router = ChatRouter(models=[ChatOpenAI(**given)], temperature=0)
    router.invoke("x")
    router.model_copy(update={"temperature": 1}).invoke("x")
    plain, routed, changed = (body.get("temperature") for _, body in server.seen[-3:])
    assert (routed, changed) == (plain, 1)
    if name == "gpt-4.1-mini" or not beside:  # what goes with an effort of none is langchain-openai's, by its version
        assert plain == (0 if name == "gpt-4.1-mini" else None)


def test_a_default_temperature_is_not_for_a_model_whose_profile_says_that_it_takes_none() -> None:
    defaults = {"temperature": 0, "max_tokens": 9}
    profiles: list[Any] = [{"temperature": False}, {}]
    copies = [with_defaults(ChatAnthropic(model="c", api_key="k", profile=each), defaults) for each in profiles]
    assert [(copy.temperature, copy.max_tokens) for copy in copies] == [(None, 9), (0, 9)]
