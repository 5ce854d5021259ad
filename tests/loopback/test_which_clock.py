"""Whoever reads the error of a call that took too long has to learn which setting ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, completion, reply, stall

from capability_router import AllCandidatesFailed, routing
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

SHORT = 0.2


def chain(url: str, **settings: Any) -> Callable[[], Any]:
    router = ChatRouter(models=[ChatEndpoint(base_url=url, model=n) for n in "ab"], policy="single", **settings)
    return lambda: router.invoke("hi")


def achain(url: str, **settings: Any) -> Callable[[], Any]:
    router = ChatRouter(models=[ChatEndpoint(base_url=url, model=n) for n in "ab"], policy="single", **settings)
    return lambda: asyncio.run(router.ainvoke("hi"))


def rag(url: str, **settings: Any) -> Callable[[], Any]:
    router = RouterLLM(models=[EndpointLLM(base_url=url, model=n) for n in "ab"], policy="single", **settings)
    return lambda: router.chat([ChatMessage(content="hi")])


WAYS = [chain, achain, rag]


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_that_ran_out_is_named_and_not_the_attempts(way: Any) -> None:
    with ChatServer(stall) as server, pytest.raises(AllCandidatesFailed) as caught:
        way(server.base_url, deadline_s=SHORT)()
    told = str(caught.value)
    assert "raise deadline_s" in told
    assert "timeouts.total" not in told
    assert "Not reached in that time: endpoint/b" in told
    assert "within 4 attempts" not in told


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_of_one_attempt_is_named(way: Any) -> None:
    with ChatServer(stall) as server, pytest.raises(AllCandidatesFailed) as caught:
        way(server.base_url, timeouts={"total": SHORT}, deadline_s=20)()
    told = str(caught.value)
    assert "raise timeouts.total" in told or "waiting for the whole answer" in told
    assert "deadline" not in told
    assert len(caught.value.failures) == 2


def test_the_built_in_clients_hint_names_the_deadline_of_a_single_request() -> None:
    with ChatServer(stall) as server, routing(deadline_s=SHORT), pytest.raises(AllCandidatesFailed) as caught:
        chain(server.base_url, timeouts={"total": 30})()
    (failure,) = caught.value.failures
    assert "deadline_s" in failure.detail
    assert "timeouts.total" not in failure.detail


def test_a_limit_of_the_model_itself_is_named() -> None:
    with ChatServer(stall) as server:
        router = RouterLLM(
            models=[EndpointLLM(base_url=server.base_url, model="a", timeout=SHORT)], policy="single", deadline_s=20
        )  # fmt: skip
        with pytest.raises(AllCandidatesFailed) as caught:
            router.chat([ChatMessage(content="hi")])
    assert "deadline" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_answer_has_no_first_token_to_wait_for(way: Any) -> None:
    """Its first byte comes with its last: only `connect` and `total` bound it, as docs/reliability.md says."""

    def late(wire: Any) -> bool:
        wire.pause(SHORT)
        return reply(completion())(wire)

    with ChatServer(late) as server:
        answer = way(server.base_url, timeouts={"first_token": SHORT / 4, "between_tokens": SHORT / 4, "total": 20})()
    assert (answer if isinstance(answer, AIMessage) else answer.message).content == "hello"
