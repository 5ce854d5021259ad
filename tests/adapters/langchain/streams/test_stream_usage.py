"""When ChatOpenAI asks for the counts of a stream, and what is booked where it doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from adapters.llamaindex.chat_server import ChatServer
from langchain_openai import ChatOpenAI

from langchain_router import ChatRouter


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.close()


@pytest.mark.parametrize(("settings", "exact"), [({}, False), ({"stream_usage": True}, True)])
def test_an_address_of_its_own_has_to_be_told(server: ChatServer, settings: dict[str, Any], exact: bool) -> None:
    model = ChatOpenAI(model="m", api_key="k", base_url=server.url, **settings)
    llm = ChatRouter(models=[(model, {"id": "a", "price": {"input_mtok": 1, "output_mtok": 2}})], policy="single")
    assert "".join(str(chunk.content) for chunk in llm.stream("hi")) == "hello world"
    (call,) = llm.router.ledger.calls()
    assert (call.estimated, (call.input_tokens, call.output_tokens) == (100, 20)) == (not exact, exact)


def test_by_itself_it_asks_only_openai_over_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    given = {"model": "m", "api_key": "k"}
    assert ChatOpenAI(**given).stream_usage is True
    with httpx.Client() as client:
        assert not ChatOpenAI(http_client=client, **given).stream_usage
    assert not ChatOpenAI(base_url="https://api.openai.com/v1", **given).stream_usage
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    assert not ChatOpenAI(**given).stream_usage
