"""A routing term among a call's keywords is told before anything is sent; what models' calls take passes."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter, ConfigError

TERMS: dict[str, Any] = {
    "tenant": "acme", "pin": "fake/x", "allow": ["fake/x"], "deny": ["fake/x"], "require_tags": ["eu"],
    "quality_target": 0.5, "max_cost_usd": 1.0, "deadline_s": 9.0,
}  # fmt: skip


def how(term: str) -> str:
    """What the error says, as a pattern."""
    return rf'with routing\({term}=\.\.\.\).*\{{"configurable": \{{"router": \{{"{term}": \.\.\.\}}\}}\}}'


@pytest.mark.parametrize("term", TERMS)
async def test_it_is_refused_with_what_to_say(term: str) -> None:
    model = Scripted(name_="x")
    router, given = ChatRouter(models=[model]), {term: TERMS[term]}
    for call in (router.invoke, router.bind(temperature=0).invoke, router.with_structured_output({}).invoke):
        with pytest.raises(ConfigError, match=how(term)):
            call("hi", **given)
    with pytest.raises(ConfigError, match=how(term)):
        list(router.stream("hi", **given))
    with pytest.raises(ConfigError, match=how(term)):
        await router.ainvoke("hi", **given)
    with pytest.raises(ConfigError, match=how(term)):
        await router.agenerate([[]], **given)
    with pytest.raises(ConfigError, match=how(term)):
        router.bind(**given)
    assert model.calls == []
    assert router.router.ledger.calls() == []


def test_explain_takes_them() -> None:
    assert ChatRouter(models=[Scripted(name_="x")]).explain("hi", tenant="acme").chosen is not None


def test_keywords_of_models_pass(server: Server) -> None:
    router = ChatRouter(models=[ChatOpenAI(model="ok", base_url=server.url, api_key="k", use_responses_api=False)])
    given = {"user": "u", "service_tier": "auto", "seed": 1, "store": False, "extra_body": {"tenant": "acme"}}
    router.invoke("hi", **given)
    told = server.seen[-1][1]
    assert (told["user"], told["service_tier"], told["seed"], told["tenant"]) == ("u", "auto", 1, "acme")


@pytest.mark.parametrize("word", ["priority", "session", "task", "data"])
def test_words_that_a_server_may_know_pass_to_the_built_in_client(server: Server, word: str) -> None:
    router = ChatRouter(models=[ChatEndpoint(base_url=server.url, model="ok")])
    router.invoke("hi", **{word: 1})
    assert server.seen[-1][1][word] == 1


@pytest.mark.parametrize("word", ["tags", "session", "priority"])
def test_where_a_model_refuses_such_a_word_the_error_says_it_too(server: Server, word: str) -> None:
    router = ChatRouter(models=[ChatOpenAI(model="ok", base_url=server.url, api_key="k", use_responses_api=False)])
    seen = len(server.seen)
    with pytest.raises(AllCandidatesFailed, match=how(word)):
        router.invoke("hi", **{word: "x"})
    assert len(server.seen) == seen
