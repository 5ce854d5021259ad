"""Nothing secret in texts, dumps and pickles; every copy shares one core."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex import provider_llms
from adapters.llamaindex.chat_server import ChatServer, Refuse
from adapters.processes import Processes
from adapters.provider_server import ProviderServer
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.mock import MockLLM
from llama_index.llms.openai import OpenAI
from pydantic import SecretStr

from capability_router.router import Router
from langchain_router import ChatEndpoint
from llamaindex_router import AllCandidatesFailed, ConfigError, EndpointLLM, RouterLLM

KEY = "sk-very-secret-0123456789"
NOWHERE = {"id": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
HI = [ChatMessage(content="hi")]


@pytest.fixture
def llm(server: ChatServer) -> RouterLLM:
    endpoint = {"id": "e", "endpoint": {"base_url": server.url, "model": "e", "api_key": KEY}}
    named = (OpenAI(model="gpt-4o", api_key=KEY, api_base=server.url), {"id": "o"})
    built_in = EndpointLLM(base_url=server.url, model="b", api_key=KEY, headers={"x-auth": KEY})
    return RouterLLM(models=[endpoint, named, built_in], api_key=KEY, policy="single")


@pytest.mark.parametrize("show", [repr, str, lambda o: str(o.to_dict()), lambda o: o.to_json(), lambda o: str(o.dict()),
                                  lambda o: str(o.to_payload()), lambda o: o.model_dump_json(),
                                  lambda o: pickle.dumps(o).decode("latin-1")])  # fmt: skip
def test_no_key_in_any_form(llm: RouterLLM, show: Callable[[Any], str]) -> None:
    assert KEY not in show(llm)
    built_in = EndpointLLM(base_url="http://127.0.0.1:9/v1", model="b", api_key=KEY, headers={"x-auth": KEY})
    assert KEY not in show(built_in)


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY)])
def test_the_key_of_named_models_is_a_text_or_a_secret(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, key: str | SecretStr
) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", server.url)
    RouterLLM(models=["openai:gpt-4o"], api_key=key).chat(HI)
    assert server.keys == [f"Bearer {KEY}"]


def test_dumps_are_json(llm: RouterLLM) -> None:
    assert json.loads(llm.to_json())["class_name"] == "RouterLLM"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda o: o.model_copy(deep=True),
                                       lambda o: pickle.loads(pickle.dumps(o))])  # noqa: S301 # fmt: skip
def test_copies_share_one_core(llm: RouterLLM, duplicate: Callable[[Any], Any]) -> None:
    twin = duplicate(llm)
    assert twin is not llm
    assert twin.router is llm.router
    twin.chat(HI)
    assert len(llm.router.ledger.calls()) == 1
    assert twin.metadata == llm.metadata


@pytest.mark.parametrize("twice", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])  # noqa: S301
def test_copies_of_an_endpoint_keep_its_key_in_this_process(server: ChatServer, twice: Callable[[Any], Any]) -> None:
    made = EndpointLLM(base_url=server.url, model="b", api_key=KEY, context_window=9_000, temperature=0.5)
    twin = twice(made)
    twin.chat(HI)
    assert server.keys == [f"Bearer {KEY}"]
    assert (twin.metadata.context_window, twin.temperature) == (9_000, 0.5)


def test_settings_survive_a_pickle(server: ChatServer) -> None:
    made = RouterLLM(
        models=[EndpointLLM(base_url=server.url, model="a")], max_tokens=99, context_window=5_000, annotate=False,
        system_prompt="be brief",
    )  # fmt: skip
    twin = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert (twin.max_tokens, twin.context_window, twin.annotate, twin.system_prompt) == (99, 5_000, False, "be brief")


WORKER = """
import pickle, sys
from llama_index.core.llms import ChatMessage
llm = pickle.loads(sys.stdin.buffer.read())
print(llm.chat([ChatMessage(content="hi")]).additional_kwargs["router"]["model"], llm.max_tokens)
"""


def test_another_process_makes_its_own(processes: Processes, server: ChatServer) -> None:
    models = [
        {"id": "e", "endpoint": {"base_url": server.url, "model": "e", "api_key": KEY}},
        EndpointLLM(base_url=server.url, model="b", api_key=KEY),
    ]
    made = RouterLLM(models=models, policy="single", max_tokens=50)
    ran = processes.run(WORKER, stdin=pickle.dumps(made))
    assert ran.stdout.split() == ["e", "50"], ran.stderr


def test_a_shared_router_is_made_anew_in_another_process(processes: Processes, server: ChatServer) -> None:
    router = Router([{"id": "e", "endpoint": {"base_url": server.url, "model": "e", "api_key": KEY}}], policy="single")
    made = RouterLLM(router=router, max_tokens=50)
    assert made.router is router
    data = pickle.dumps(made)
    assert KEY.encode() not in data
    ran = processes.run(WORKER, stdin=data)
    assert ran.stdout.split() == ["e", "50"], ran.stderr


def test_two_adapters_over_one_router_share_its_books(server: ChatServer) -> None:
    router = Router([{"id": "e", "endpoint": {"base_url": server.url, "model": "e"}}])
    for llm in (RouterLLM(router=router), RouterLLM(router=router)):
        llm.chat(HI)
    assert len(router.ledger.calls()) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "models"),
        ({"models": []}, "empty"),
        ({"models": [object()]}, "object"),
        ({"models": MockLLM()}, "must be a list, got a MockLLM"),
        ({"models": ["openai"]}, "provider:model"),
        ({"models": [NOWHERE], "polcy": "single"}, "policy"),
        ({"models": [NOWHERE], "context_window": "big"}, "context_window"),
        ({"models": ["nobody:model"]}, "nobody"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        RouterLLM(**settings)


def test_a_missing_key_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="GROQ_API_KEY"):
        RouterLLM(models=["groq:llama-3.3-70b-versatile"])


def test_max_retries_are_the_routers_further_attempts(server: ChatServer) -> None:
    server.script("m", Refuse(503))
    llm = RouterLLM(models=[{"id": "m", "endpoint": {"base_url": server.url, "model": "m"}}], max_retries=0)
    with pytest.raises(AllCandidatesFailed):
        llm.chat(HI)
    assert len(server.requests) == 1


def test_a_rate_limiter_of_the_routers_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="limits"):
        RouterLLM(models=[NOWHERE], rate_limiter=object())


def test_from_config(server: ChatServer, tmp_path: Any) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(
        f"policy: single\nmodels:\n  - id: e\n    context_window: 9000\n"
        f"    endpoint: {{base_url: '{server.url}', model: e}}\n"
    )
    for made in (RouterLLM.from_config(path), RouterLLM.from_config(str(path), max_tokens=64)):
        assert made.chat(HI).additional_kwargs["router"]["model"] == "e"
        assert made.metadata.context_window == 9_000
        assert pickle.loads(pickle.dumps(made)).router is made.router  # noqa: S301


def test_a_pickle_opened_where_it_was_made_needs_no_key(
    providers: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GoogleGenAI can't even be made without one."""
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    llm = RouterLLM(models=[provider_llms.made("google", providers.url)])
    pickled = pickle.dumps(llm)
    assert provider_llms.KEY.encode() not in pickled
    assert pickle.loads(pickled).router is llm.router  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"temprature": 0}, "did you mean 'temperature'"),
        ({"model": "gpt-5.4", "models": None}, "did you mean 'models'"),
        ({"reasoning_effort": "low"}, r"a setting of OpenAI: give it to the model, or to a call: llm\.complete"),
        ({"verbosity_of_answers": "low"}, "If it is a setting of a model, give it to the model"),
        ({"quality_target": 0.9}, "belongs in policy"),
    ],
)
def test_a_keyword_that_stood_on_the_model_before_says_where_it_goes(keywords: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        RouterLLM(**{"models": [OpenAI(model="gpt-5.4", api_key="k")], **keywords})


class Shop(RouterLLM):
    """With a field of the user's own."""

    shelf: str = "top"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda o: o.model_copy(),
                                       lambda o: pickle.loads(pickle.dumps(o))])  # noqa: S301 # fmt: skip
def test_fields_of_ones_own_class_are_set_and_copied(duplicate: Callable[[Any], Any]) -> None:
    made = Shop(models=[MockLLM(max_tokens=1)], shelf="low")
    assert (made.shelf, Shop.from_config({"models": [MockLLM()]}, shelf="mid").shelf) == ("low", "mid")
    twin = duplicate(made)
    assert (type(twin), twin.shelf, twin.router) == (Shop, "low", made.router)
    with pytest.raises(ConfigError, match="takes no shelf="):
        RouterLLM(models=[MockLLM()], shelf="low")


def test_models_override_those_of_a_configuration_and_go_into_pickles(processes: Processes) -> None:
    file = {"models": ["openai:gpt-5"], "policy": "single"}
    made = RouterLLM.from_config(file, models=[(MockLLM(), {"id": "mock"})], max_tokens=2)
    assert (list(made.router.registry.entries), made.router.settings.policy.name) == (["mock"], "single")
    with pytest.raises(ConfigError, match="models is empty"):
        RouterLLM.from_config(file, models=[])
    with pytest.raises(ConfigError, match="one of them"):
        RouterLLM.from_config(file, router=made.router)
    ran = processes.run(WORKER, stdin=pickle.dumps(made))
    assert ran.stdout.split() == ["mock", "2"], ran.stderr


def test_a_key_in_a_urls_query_is_sent_and_not_shown(server: ChatServer) -> None:
    made = EndpointLLM(base_url=f"{server.url}?key={KEY}", model="b")
    shown = [repr(made), str(made), str(made.to_dict()), made.to_json(), made.model_dump_json(), str(made.to_payload())]
    assert not any(KEY in text for text in shown)
    assert copy.copy(made).base_url.endswith(KEY)


@pytest.mark.parametrize("name", ["api-key", "x-api-key", "private_key", "the-key", "auth", "cookies", "token"])
def test_a_secret_is_known_by_its_name_however_deep_it_stands(name: str) -> None:
    llm = OpenAI(model="gpt-5.4", api_key="k", additional_kwargs={"extra_query": {name: KEY, "api-version": "v7"}})
    data = pickle.dumps(RouterLLM(models=[llm], max_tokens=77))
    assert KEY.encode() not in data
    assert b"v7" in data
    assert b"max_tokens" in data


@pytest.mark.parametrize(("given", "meant"), [("context_windw", "context_window"), ("tempereture", "temperature")])
def test_an_endpoints_unknown_keyword_is_told(given: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown card field '{given}'; did you mean '{meant}'"):
        EndpointLLM(base_url="http://127.0.0.1:9/v1", model="m", **{given: 5})


@pytest.mark.parametrize("entry", [
    lambda url: {"id": "a", "endpoint": {"base_url": url, "model": "b"}},
    lambda url: EndpointLLM(base_url=url, model="b"),
    lambda url: ChatEndpoint(base_url=url, model="b"),
    lambda url: ChatOpenAI(base_url=url, model="b", api_key="k"),
    lambda url: OpenAI(api_base=url, model="gpt-5.4", api_key="k"),
])  # fmt: skip
def test_a_pickle_of_a_router_keeps_of_a_url_what_is_no_key(entry: Callable[[str], Any]) -> None:
    made = [entry(f"http://127.0.0.1:9/v1?api-version=7&key={KEY}"), MockLLM(system_prompt="Why? A key & a lock")]
    data = pickle.dumps(RouterLLM(models=made))
    assert KEY.encode() not in data
    assert b"http://127.0.0.1:9/v1?api-version=7" in data
    assert b"Why? A key & a lock" in data
