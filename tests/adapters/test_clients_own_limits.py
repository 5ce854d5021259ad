"""What an application has set on its clients holds inside a router, too; and `timeouts.connect` holds in SDKs."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_groq import ChatGroq
from langchain_openai import ChatOpenAI
from llama_index.core.llms import MockLLM
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai import OpenAI

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

Make = Callable[..., Any]
CHATS: list[Make] = [
    lambda url, **given: ChatOpenAI(model="m", base_url=url, api_key="k", **given),
    lambda url, **given: ChatAnthropic(model="m", base_url=url, api_key="k", **given),
    lambda url, **given: ChatGroq(model="m", base_url=url, api_key="k", **given),
]
LLMS: list[Make] = [
    lambda url, **given: OpenAI(model="gpt-4o", api_base=url, api_key="k", **given),
    lambda url, **given: Anthropic(model="claude-3-haiku-20240307", base_url=url, api_key="k", **given),
]


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a request and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


@pytest.fixture
def unreached() -> Iterator[str]:
    """An address where nobody takes a connection."""
    with ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # until no more are queued
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/v1"


def taken_s(ask: Callable[[], Any]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def chat(make: Make, url: str, timeout: float | None = None, **settings: Any) -> ChatRouter:
    given = {} if timeout is None else {"timeout": timeout}
    models = [(make(url, **given), {"id": "first"}), (FakeListChatModel(responses=["well"]), {"id": "second"})]
    return ChatRouter(models=models, policy="single", **settings)


def llm(make: Make, url: str, timeout: float | None = None, **settings: Any) -> RouterLLM:
    given = {} if timeout is None else {"timeout": timeout}
    return RouterLLM(
        models=[(make(url, **given), {"id": "first"}), (MockLLM(), {"id": "second"})], policy="single", **settings
    )


@pytest.mark.parametrize("make", CHATS)
def test_a_chat_models_own_timeout_is_not_lengthened_by_a_deadline(make: Make, silent: str) -> None:
    router = chat(make, silent, 0.5, deadline_s=20)
    assert taken_s(lambda: router.invoke("hi")) < 10
    assert [call.model for call in router.router.ledger.calls()] == ["first", "second"]
    assert taken_s(lambda: list(router.stream("hi"))) < 10


@pytest.mark.parametrize("make", LLMS)
def test_an_llms_own_timeout_is_not_lengthened_by_a_deadline(make: Make, silent: str) -> None:
    router = llm(make, silent, 0.5, deadline_s=20)
    assert taken_s(lambda: router.complete("hi")) < 10
    assert [call.model for call in router.router.ledger.calls()] == ["first", "second"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("make", CHATS)
def test_a_chat_models_sdk_opens_connections_within_the_limit(make: Make, unreached: str, is_async: bool) -> None:
    router = chat(make, unreached, timeouts={"connect": 0.3}, deadline_s=30)
    ask = (lambda: asyncio.run(router.ainvoke("hi"))) if is_async else (lambda: router.invoke("hi"))
    assert taken_s(ask) < 4, "the SDKs' own limit is 5 s"
    assert [call.model for call in router.router.ledger.calls()][-1] == "second"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("make", LLMS)
def test_an_llms_sdk_opens_connections_within_the_limit(make: Make, unreached: str, is_async: bool) -> None:
    router = llm(make, unreached, timeouts={"connect": 0.3}, deadline_s=30)
    ask = (lambda: asyncio.run(router.acomplete("hi"))) if is_async else (lambda: router.complete("hi"))
    assert taken_s(ask) < 4, "the SDKs' own limit is 5 s"
    assert [call.model for call in router.router.ledger.calls()][-1] == "second"


def test_perplexitys_sdk_is_told_the_time_that_an_attempt_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the thread of an attempt that was given up waits for the SDK's own limit, which is a quarter of an hour."""
    model = pytest.importorskip("langchain_perplexity").ChatPerplexity(model="m", api_key="k")
    told: list[Any] = []

    def asked(_: Any, **keywords: Any) -> Any:
        told.append(keywords.get("timeout"))
        raise ConnectionError

    monkeypatch.setattr(type(model.client.chat.completions), "create", asked)
    models = [(model, {"id": "first"}), (FakeListChatModel(responses=["well"]), {"id": "second"})]
    ChatRouter(models=models, policy="single", timeouts={"total": 60}).invoke("hi")
    assert [0 < limits.read < 70 for limits in told] == [True]
