"""Headers, a key and further fields of one call over the built-in client, whoever makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, Seen, completion, reply
from pydantic import SecretStr

from capability_router import Router
from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.errors import EndpointError
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.spec import EndpointSpec
from capability_router.errors import ConfigError
from langchain_router import ChatEndpoint
from llamaindex_router import EndpointLLM


def _chain(url: str, **keywords: Any) -> None:
    ChatEndpoint(base_url=url, model="m", api_key="ours", headers={"X-Team": "a"}).invoke("hi", **keywords)


def _awaited(url: str, **keywords: Any) -> None:
    model = ChatEndpoint(base_url=url, model="m", api_key="ours", headers={"X-Team": "a"})
    asyncio.run(model.ainvoke("hi", **keywords))


def _llama(url: str, **keywords: Any) -> None:
    llm = EndpointLLM(base_url=url, model="m", api_key="ours", headers={"X-Team": "a"})
    llm.chat([ChatMessage("hi")], **keywords)


def _core(url: str, **keywords: Any) -> None:
    client = OpenAICompatible(EndpointSpec(url, "m", "ours", headers={"X-Team": "a"}))
    router = Router([{"id": "m", "provider": "p", "endpoint": {"base_url": url, "model": "m"}}], policy="single")
    request = request_from_chat("hi", **keywords)
    assert request.own_key
    assert [delta.text for delta in router.start(request, ChatCompletionsEndpoint(request, {"m": client}))] == ["hello"]


def _seen(ask: Callable[..., None], **keywords: Any) -> Seen:
    with ChatServer(reply(completion(), 200, ["connection: close"])) as server:
        ask(server.base_url, **keywords)
    (seen,) = server.seen
    assert seen.body["messages"] == [{"role": "user", "content": "hi"}]
    assert not {"extra_headers", "extra_body", "api_key"} & seen.body.keys()
    return seen


ASK = [_chain, _awaited, _llama]
THEIRS: list[dict[str, Any]] = [
    {"extra_headers": {"Authorization": "Bearer theirs"}},
    {"api_key": "theirs"},
    {"api_key": SecretStr("theirs")},
    {"extra_headers": {"authorization": "Bearer theirs"}, "api_key": "another"},
]


@pytest.mark.parametrize("keywords", THEIRS)
@pytest.mark.parametrize("ask", [*ASK, _core])
def test_a_key_of_the_call_is_sent_in_the_place_of_the_endpoints(
    ask: Callable[..., None], keywords: dict[str, Any]
) -> None:
    seen = _seen(ask, **keywords)
    assert (seen.headers["authorization"], seen.headers["x-team"]) == ("Bearer theirs", "a")


@pytest.mark.parametrize("ask", ASK)
def test_a_key_in_a_header_of_another_name_takes_the_endpoints_away(ask: Callable[..., None]) -> None:
    seen = _seen(ask, extra_headers={"X-API-Key": "theirs"})
    assert seen.headers["x-api-key"] == "theirs"
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("ask", ASK)
def test_other_headers_go_over_the_endpoints_but_not_over_the_clients(ask: Callable[..., None]) -> None:
    seen = _seen(ask, extra_headers={"x-team": "b", "Content-Length": "1", "X-Not": None})
    assert (seen.headers["authorization"], seen.headers["x-team"]) == ("Bearer ours", "b")
    assert "x-not" not in seen.headers


@pytest.mark.parametrize("ask", ASK)
def test_further_fields_are_fields_of_the_body(ask: Callable[..., None]) -> None:
    assert _seen(ask, extra_body={"top_k": 3}, temperature=0.5).body.items() >= {"top_k": 3, "temperature": 0.5}.items()


@pytest.mark.parametrize("keywords", [{"extra_headers": "theirs"}, {"api_key": "their\ns"}, {"extra_body": "theirs"}])
def test_what_cannot_be_sent_is_told_and_not_quoted(keywords: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"model 'm'") as told:
        _chain("http://127.0.0.1:9", **keywords)
    assert "their" not in str(told.value)


@pytest.mark.parametrize("name", ["Authorization", "x-api-key"])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", ""])
def test_no_error_shows_the_key(name: str, scheme: str) -> None:
    said = {"error": {"message": "Incorrect API key provided: their-own-word", "code": "their-own-word"}}
    with (
        ChatServer(reply(said, 401)) as server,
        pytest.raises(EndpointError, match="Incorrect API key provided") as told,
    ):
        _chain(server.base_url, extra_headers={name: f"{scheme}their-own-word"})
    assert "their-own" not in f"{told.value!r} {told.value} {vars(told.value)}"
