"""A router within a router that is given up gives up too: in a thread nobody could tell it to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, stall
from loopback.inner_routers import chain, rag, sdk_chain

from capability_router import AllCandidatesFailed
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

pytestmark = pytest.mark.usefixtures("forgotten_clients")

SHORT, PATIENT = 0.2, 10.0


def ask(model: Any) -> Any:
    return model.chat([ChatMessage(content="hi")]) if isinstance(model, RouterLLM) else model.invoke("hi")


def ask_for_a_stream(model: Any) -> Any:
    return list(model.stream_chat([ChatMessage(content="hi")]) if isinstance(model, RouterLLM) else model.stream("hi"))


def aask(model: Any) -> Any:
    return asyncio.run(
        model.achat([ChatMessage(content="hi")]) if isinstance(model, RouterLLM) else model.ainvoke("hi")
    )


def settled(router: Any) -> bool:
    """Whether it comes to rest: no permit is held, and its one call is booked as ended."""
    until = time.monotonic() + PATIENT
    while time.monotonic() < until:
        calls = router.ledger.calls()
        if calls and not any(row["in_flight"] for row in router.health()):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("settings", [{"deadline_s": SHORT}, {"timeouts": {"total": SHORT}, "retry": {"attempts": 1}}])
@pytest.mark.parametrize("way", [ask, ask_for_a_stream, aask])
@pytest.mark.parametrize(("inside", "around"), [(chain, ChatRouter), (sdk_chain, ChatRouter), (rag, RouterLLM),
                                                (chain, RouterLLM)])  # fmt: skip
def test_the_inner_router_gives_up_after_the_outer_one(
    inside: Callable[..., Any], around: Callable[..., Any], way: Callable[[Any], Any], settings: dict[str, Any]
) -> None:
    with ChatServer(stall) as server:
        inner = inside(server.base_url, timeouts={"total": 60})
        outer = around(models=[(inner, {"id": "inner"})], policy="single", **settings)
        with pytest.raises(AllCandidatesFailed) as caught:
            way(outer)
        assert ("deadline_s" if "deadline_s" in settings else "whole answer") in str(caught.value)
        assert settled(inner.router)


def test_a_sooner_deadline_of_its_own_holds() -> None:
    with ChatServer(stall) as server:
        inner = chain(server.base_url, deadline_s=SHORT)
        with pytest.raises(AllCandidatesFailed):
            ask(ChatRouter(models=[(inner, {"id": "inner"})], policy="single", deadline_s=60, retry={"attempts": 1}))
        assert settled(inner.router)
