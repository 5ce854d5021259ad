"""A refusal is held against what it is about: one request, one model or a whole account. Through the real clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, completion, reply

from capability_router.request import Request
from capability_router.router import Router
from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM


def told(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


ITEM = "Item with id 'rs_68' not found. Items are not persisted when `store` is set to false."
RESPONSE = "Previous response with id 'resp_1' not found."
MODEL = "The model `gpt-9` does not exist or you do not have access to it."
BROKE = "Account acme is suspended, possibly due to reaching the monthly spending limit."
TIER = "Your subscription tier does not allow access to this model"
XAI = {"code": "The caller does not have permission", "error": "Your newly created team doesn't have any credits yet."}
OPENAI = {
    "a file": (404, told("No such File object: file-abc"), "unsupported"),
    "a response": (404, told(RESPONSE, "previous_response_not_found"), "unsupported"),
    "a response, 400": (400, told(RESPONSE, "previous_response_not_found"), "unsupported"),
    "an item": (404, told(ITEM), "unsupported"),
    "a container": (404, told("Container with id 'cntr_1' not found."), "unsupported"),
    "a model": (404, told(MODEL, "model_not_found"), "not_found"),
    "a model of few words": (404, told("Not found"), "not_found"),
    "a wrong address": (404, told("File not found: /v1/chat/completions"), "not_found"),
    "Groq, by organisation": (403, told("Blocked.", "model_permission_blocked_org", "permissions_error"), "not_found"),
    "Groq, by project": (403, told("Blocked.", "model_permission_blocked_project", "permissions_error"), "not_found"),
    "Mistral, by tier": (403, told(TIER, "1500"), "not_found"),
    "Together": (403, told("Unable to access model m.", "model_not_available"), "not_found"),
    "an empty account, 403": (403, XAI, "quota_exhausted"),
    "an account in arrears, 412": (412, told(BROKE, "precondition_failed"), "quota_exhausted"),
    "a condition, 412": (412, told("The entity tag does not match.", "precondition_failed"), "bad_request"),
}  # fmt: skip
ANTHROPIC = {"a file": ("File not found: file_011", "unsupported"), "a model": ("model: claude-9", "not_found")}
BARS = {"unsupported": "", "bad_request": "", "not_found": "model", "quota_exhausted": "credential"}


def judged(first: Any, well: ChatServer) -> tuple[str | None, str]:
    """The fault of the first model's call, and what it is barred by since."""
    llm = ChatRouter(models=[first, ChatOpenAI(model="b", base_url=well.base_url, api_key="k2")], policy="single")
    try:
        assert llm.invoke("hi").content == "hello"
    except AllCandidatesFailed:
        assert not well.seen
    refusals = [refusal.rule for refusal in llm.explain("hi").refusals]
    return llm.router.ledger.calls()[0].fault, "".join(refusals)


@pytest.mark.parametrize("what", OPENAI)
def test_by_openais_client(what: str) -> None:
    status, body, kind = OPENAI[what]
    with ChatServer(reply(body, status)) as bad, ChatServer(reply(completion())) as well:
        first = ChatOpenAI(model="a", base_url=bad.base_url, api_key="k")
        assert judged(first, well) == (kind, BARS[kind])


@pytest.mark.parametrize("what", ANTHROPIC)
def test_by_anthropics_client(what: str) -> None:
    message, kind = ANTHROPIC[what]
    body = {"type": "error", "error": {"type": "not_found_error", "message": message}}
    with ChatServer(reply(body, 404)) as bad, ChatServer(reply(completion())) as well:
        first = ChatAnthropic(model="a", base_url=bad.base_url.removesuffix("/v1"), api_key="k")
        assert judged(first, well) == (kind, BARS[kind])


class Asked(NamedTuple):
    ask: Callable[..., str]
    router: Router


def langchains(url: str) -> Asked:
    models = [ChatOpenAI(model=name, base_url=url, api_key="k") for name in "ab"]
    llm = ChatRouter(models=models, policy="single")
    return Asked(lambda **keywords: llm.invoke("hi", **keywords).text, llm.router)


def llamaindexs(url: str) -> Asked:
    models = [OpenAILike(model=name, api_base=url, api_key="k", is_chat_model=True) for name in "ab"]
    llm = RouterLLM(models=models, policy="single")
    return Asked(lambda **keywords: llm.chat([ChatMessage(content="hi")], **keywords).message.content or "", llm.router)


def built_in(url: str) -> Asked:
    models = [ChatEndpoint(model=name, base_url=url, api_key="k") for name in "ab"]
    llm = ChatRouter(models=models, policy="single")
    return Asked(lambda **keywords: llm.invoke("hi", **keywords).text, llm.router)


def llamaindexs_built_in(url: str) -> Asked:
    llm = RouterLLM(models=[EndpointLLM(model=name, base_url=url, api_key="k") for name in "ab"], policy="single")
    return Asked(lambda **keywords: llm.chat([ChatMessage(content="hi")], **keywords).message.content or "", llm.router)


NAMED: dict[str, Any] = {"model": "gtp-9"}
KEYED: dict[str, Any] = {"extra_headers": {"Authorization": "Bearer theirs"}}
BROUGHT = {
    "a model's name": (NAMED, OPENAI["a model"], "does not know the model that the call names", "not_found"),
    "a key": (KEYED, (401, told("Wrong.", "invalid_api_key")), "rejected the key that the call brings along", "auth"),
    "a poor key": (
        KEYED,
        (429, told("Empty.", "insufficient_quota")),
        "has no quota left for the key that the call brings along",
        "quota_exhausted",
    ),
}


@pytest.mark.parametrize("what", BROUGHT)
@pytest.mark.parametrize("made", [langchains, llamaindexs, built_in, llamaindexs_built_in])
def test_what_the_call_brings_along_is_held_against_no_model(made: Callable[[str], Asked], what: str) -> None:
    keywords, (status, body, *_), words, kind = BROUGHT[what]
    with ChatServer(reply(body, status), reply(body, status), reply(completion())) as server:
        ask, router = made(server.base_url)
        with pytest.raises(AllCandidatesFailed, match=rf"{words}.*Check what the call brings along"):
            ask(**keywords)
        assert [call.fault for call in router.ledger.calls()] == [kind, kind]
        assert not router.explain(Request(texts=("hi",))).refusals
        assert ask() == "hello"


@pytest.mark.parametrize("made", [built_in, llamaindexs_built_in])
def test_so_is_a_key_as_a_keyword_of_the_call(made: Callable[[str], Asked]) -> None:
    wrong = reply(told("Wrong.", "invalid_api_key"), 401)
    with ChatServer(wrong, wrong, reply(completion())) as server:
        ask, router = made(server.base_url)
        with pytest.raises(AllCandidatesFailed, match="rejected the key that the call brings along"):
            ask(api_key="theirs")
        assert not router.explain(Request(texts=("hi",))).refusals
        assert ask() == "hello"
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer theirs", "Bearer theirs", "Bearer k"]
