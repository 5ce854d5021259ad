"""The models behind the router: what they say of themselves, and that only the router retries."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server
from pydantic import Field

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter, ConfigError
from langchain_router.fleet.copies import as_keywords, retries_left, with_defaults, with_keywords, without_retries
from langchain_router.fleet.description import describe
from langchain_router.fleet.sources import named


def test_a_partner_model_says_what_it_can_and_where_it_calls() -> None:
    told = describe(ChatOpenAI(model="gpt-4o-mini", api_key="sk-secret", max_tokens=77))
    assert told is not None
    assert told.fields["provider"] == "openai"
    assert told.fields["model"] == "gpt-4o-mini"
    assert told.fields["tool_calling"] is True
    assert told.fields["output_reserve"] == 77
    assert told.address.base_url == "https://api.openai.com/v1"
    assert told.address.credential
    assert "secret" not in told.address.credential
    assert describe("openai:gpt-4o") is None
    assert describe(object()) is None


def test_what_a_model_does_not_say_is_unknown() -> None:
    told = describe(Scripted())
    assert told is not None
    assert "tool_calling" not in told.fields
    assert told.address.base_url == ""  # the registry gives it one of its own


@pytest.mark.parametrize("broken", ["dead-a", "fail-a"])
def test_an_openai_child_is_called_once_per_attempt(server: Server, broken: str) -> None:
    child = ChatOpenAI(model=broken, base_url=server.url, api_key="sk-test")  # would retry twice
    before = server.calls(broken)
    with pytest.raises(AllCandidatesFailed):
        ChatRouter(models=[child], retry={"attempts": 1}).invoke("hi")
    assert server.calls(broken) == before + 1
    assert child.root_client.max_retries == 2  # the user's own object is left alone


async def test_an_openai_child_is_called_once_per_attempt_async(server: Server) -> None:
    child = ChatOpenAI(model="dead-z", base_url=server.url, api_key="sk-test")
    with pytest.raises(AllCandidatesFailed):
        await ChatRouter(models=[child], retry={"attempts": 1}).ainvoke("hi")
    assert server.calls("dead-z") == 1


PARTNERS: list[tuple[Any, int]] = [
    (ChatOpenAI(model="m", api_key="k"), 0),
    (ChatAnthropic(model="m", api_key="k"), 0),
    (ChatGroq(model="m", api_key="k"), 0),
    (ChatGoogleGenerativeAI(model="m", api_key="k"), 1),
    (ChatMistralAI(model="m", api_key="k"), 1),
]


@pytest.mark.parametrize(("model", "value"), PARTNERS, ids=lambda v: type(v).__name__)
def test_retries_are_off_in_every_partners_own_way(model: Any, value: int) -> None:
    before = model.max_retries
    quiet = without_retries(model)
    assert quiet.max_retries == value
    assert retries_left(quiet) == 0
    assert model.max_retries == before
    for client in ("_client", "root_client"):
        sdk = getattr(quiet, client, None)
        if sdk is not None and hasattr(sdk, "max_retries"):
            assert sdk.max_retries == 0
    if isinstance(quiet, ChatGroq):
        assert quiet.client._client.max_retries == 0
        assert quiet.async_client._client.max_retries == 0


def test_a_model_without_retries_is_used_as_it_is() -> None:
    child = Scripted()
    assert without_retries(child) is child
    ollama = ChatOllama(model="m")
    assert without_retries(ollama) is ollama
    assert retries_left(ollama) == 0


def test_retries_that_cannot_be_switched_off_are_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Scripted):
        max_retries: int = 6

    ChatRouter(models=[Stubborn(), Scripted(name_="y"), ChatOpenAI(model="m", api_key="k")])
    (told,) = caplog.messages
    assert told == "fake/scripted retries up to 6 times by itself, beside the router; set its max_retries=0"


def test_defaults_go_by_each_models_own_field_names() -> None:
    defaults = {"temperature": 0.1, "max_tokens": 9}
    assert with_defaults(ChatOllama(model="m"), defaults).num_predict == 9
    assert with_defaults(ChatGoogleGenerativeAI(model="m", api_key="k"), defaults).max_output_tokens == 9
    assert with_defaults(ChatOpenAI(model="m", api_key="k"), defaults).max_tokens == 9


def test_an_answer_kept_for_another_temperature_is_not_a_copys() -> None:
    """Core keeps how a model is named in a cache at its first call, and its `model_copy` takes that along."""
    model = ChatOpenAI(model="m", api_key="k")
    first = model._get_llm_string()
    others = [with_defaults(model, {"temperature": temperature})._get_llm_string() for temperature in (0, 0.5)]
    assert len({first, *others}) == 3


def test_only_a_routers_own_temperature_is_kept_from_a_model_that_rejects_one() -> None:
    stated: dict[str, Any] = {"temperature": 0.3, "max_tokens": 9}
    ollama, other = ChatOllama(model="m", profile={"temperature": False}), Fieldless(profile={"temperature": False})
    assert with_defaults(ollama, stated).temperature is None
    assert as_keywords(other, stated) == {"max_tokens": 9}
    assert as_keywords(Fieldless(), stated) == stated
    asked, _ = with_keywords(ollama, stated)  # a call's own goes to any model
    assert (asked.temperature, asked.num_predict) == (0.3, 9)


class Fieldless(FakeListChatModel):
    """Has no field for a temperature."""

    responses: list[str] = Field(default_factory=list)


def test_names_become_models_of_their_providers_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    assert isinstance(named("openai:gpt-4o-mini"), ChatOpenAI)
    assert isinstance(named("anthropic:claude-x", "sk-given"), ChatAnthropic)
    router = ChatRouter(models=["openai:gpt-4o-mini"])
    assert dict(router.fleet)["openai/gpt-4o-mini"].max_retries == 0


def test_a_provider_without_a_package_is_reached_by_the_built_in_client() -> None:
    child = named("deepseek:deepseek-chat", "sk-given")
    assert isinstance(child, ChatEndpoint)
    assert child.provider == "deepseek"


def test_a_missing_key_says_which_entry_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"openai:gpt-4o.*API key"):
        ChatRouter(models=["openai:gpt-4o"])
    with pytest.raises(ConfigError, match="nonesuch"):
        ChatRouter(models=["nonesuch:m"])


def test_an_endpoint_entry_keeps_its_card() -> None:
    entry = {"id": "mine", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}, "tool_calling": True}
    child = dict(ChatRouter(models=[entry]).fleet)["mine"]
    assert isinstance(child, ChatEndpoint)
    assert child.profile == {"tool_calling": True}
    model = ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", context_window=5000, price={"input_mtok": 1})
    told = describe(model)
    assert told is not None
    assert told.address == model.client.address
    assert told.fields["context_window"] == 5000
    assert told.fields["price"] == {"input_mtok": 1}


def test_a_missing_key_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY, which is not set"):
        named("anthropic:claude-x")
