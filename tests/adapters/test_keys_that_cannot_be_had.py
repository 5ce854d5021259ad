"""A model's key comes from a function that raises: that model has failed, and the next one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from loopback.chat_server import ChatServer, completion, reply

from capability_router import AllCandidatesFailed, Router
from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.openai_compatible import client_for
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

CLOSE = ["connection: close"]  # event loops end with their test
SECRET = "hunter2-hunter2"


def refused(status: int) -> httpx.HTTPStatusError:
    """As a token server that refuses raises through httpx."""
    request = httpx.Request("POST", f"http://tokens.test/?client_secret={SECRET}")
    response = httpx.Response(status, request=request, json={"error": "invalid_grant"})
    return httpx.HTTPStatusError(f"{status} {SECRET}", request=request, response=response)


RAISED: list[tuple[Exception, str]] = [
    (refused(400), "auth"), (refused(503), "connection"), (httpx.ConnectTimeout("no"), "connection"),
    (RuntimeError(f"vault {SECRET}"), "auth"), (KeyError("TOKEN"), "auth"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(reply(completion("good"), headers=CLOSE)) as server:
        yield server


def _giving(error: Exception) -> Callable[[], str]:
    def key() -> str:
        raise error

    return key


def _chat_openai(url: str, error: Exception) -> Any:
    return ChatOpenAI(model="m", base_url=url, api_key=_giving(error))


def _chat_openai_awaited(url: str, error: Exception) -> Any:
    async def key() -> str:
        raise error

    return ChatOpenAI(model="m", base_url=url, api_key=key)


def _azure(url: str, error: Exception) -> Any:
    return AzureChatOpenAI(
        azure_deployment="m", azure_endpoint=url, api_version="2025-01-01", azure_ad_token_provider=_giving(error)
    )


def _endpoint(url: str, error: Exception) -> Any:
    return {"endpoint": {"base_url": url, "model": "m", "api_key": _giving(error)}}


def _models(first: Any, url: str) -> list[Any]:
    one = {"id": "first", **first} if isinstance(first, dict) else (first, {"id": "first"})
    return [one, {"id": "second", "endpoint": {"base_url": url, "model": "m"}}]


@pytest.mark.parametrize(("error", "kind"), RAISED, ids=str)
@pytest.mark.parametrize("made", [_chat_openai, _chat_openai_awaited, _azure, _endpoint])
def test_the_next_model_of_a_chat_router_answers(server: ChatServer, made: Any, error: Exception, kind: str) -> None:
    llm = ChatRouter(models=_models(made(server.base_url, error), server.base_url), policy="single")
    came = len(server.seen)
    assert (asyncio.run(llm.ainvoke("hi")) if made is _chat_openai_awaited else llm.invoke("hi")).text == "good"
    assert [call.fault for call in llm.router.ledger.calls()] == [kind, None]
    assert len(server.seen) == came + 1


@pytest.mark.parametrize(("error", "kind"), RAISED, ids=str)
def test_the_next_model_of_a_router_llm_answers(server: ChatServer, error: Exception, kind: str) -> None:
    llm = RouterLLM(models=_models(_endpoint(server.base_url, error), server.base_url), policy="single")
    assert llm.complete("hi").text == "good"
    assert [call.fault for call in llm.router.ledger.calls()] == [kind, None]


@pytest.mark.parametrize(("error", "kind"), RAISED, ids=str)
def test_the_next_model_of_the_core_alone_answers(server: ChatServer, error: Exception, kind: str) -> None:
    router = Router(_models(_endpoint(server.base_url, error), server.base_url), policy="single")
    clients = {c.id: client_for(c.endpoint or {}, owner=c.id) for c in router.registry.cards}
    request = request_from_chat("hi", tools=[])
    assert [delta.text for delta in router.start(request, ChatCompletionsEndpoint(request, clients))] == ["good"]
    assert [call.fault for call in router.ledger.calls()] == [kind, None]


def test_a_key_that_can_not_be_sent_is_that_models_fault_too(server: ChatServer) -> None:
    """What the function gave is looked at when it is asked, in the midst of a call."""
    first = {"endpoint": {"base_url": server.base_url, "model": "m", "api_key": lambda: "schlüssel"}}
    llm = ChatRouter(models=_models(first, server.base_url), policy="single")
    assert llm.invoke("hi").text == "good"
    assert [call.fault for call in llm.router.ledger.calls()] == ["auth", None]


@pytest.mark.parametrize("made", [_chat_openai, _endpoint])
def test_the_functions_own_exception_is_the_cause_and_no_text_holds_what_it_says(
    server: ChatServer, caplog: pytest.LogCaptureFixture, made: Any
) -> None:
    error = refused(400)
    llm = ChatRouter(models=_models(made(server.base_url, error), server.base_url)[:1], retry={"attempts": 1})
    with pytest.raises(AllCandidatesFailed, match=r"its key could not be had \(HTTPStatusError\)") as caught:
        llm.invoke("hi")
    assert caught.value.__cause__ is error
    assert SECRET not in f"{caught.value} {caplog.text} {llm.router.health()} {llm.router.ledger.calls()}"


@pytest.mark.parametrize("settings", [{}, {"max_retries": 0}], ids=str)
def test_keys_that_are_used_up_end_an_awaited_call_at_once(server: ChatServer, settings: dict[str, Any]) -> None:
    """A StopIteration in a thread is lost to who awaits it: the clock alone would end the attempt."""
    first = ChatOpenAI(model="m", base_url=server.base_url, api_key=lambda: next(iter(())), **settings)
    models = _models(first, server.base_url)
    chat = ChatRouter(models=models, policy="single", timeouts={"total": 20})
    rag = RouterLLM(models=models, policy="single", timeouts={"total": 20})
    assert asyncio.run(chat.ainvoke("hi")).text == asyncio.run(rag.acomplete("hi")).text == "good"
    for llm in (chat, rag):
        assert [call.fault for call in llm.router.ledger.calls()] == ["auth", None]
