"""What a router within a router would wait for, the one around it needn't where it has another model to ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, Step, Wire, completion, piece, reply, sse, stall
from loopback.inner_routers import chain, rag, sdk_chain

from capability_router import AllCandidatesFailed, RouterBusy
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

pytestmark = pytest.mark.usefixtures("forgotten_clients")

LATER = reply({"error": {"message": "slow down"}}, 429, ["retry-after: 25"])
"""Shorter than what a router waits by itself (`retry.max_wait_s`)."""
SOON = reply({"error": {"message": "slow down"}}, 429, ["retry-after-ms: 30"])


def around(kind: type, inner: Any, *beside: str, **settings: Any) -> Any:
    made = ChatEndpoint if kind is ChatRouter else EndpointLLM
    others = [(made(base_url=url, model="b"), {"id": "b"}) for url in beside]
    return kind(models=[(inner, {"id": "inner"}), *others], policy="single", **settings)


def ask(model: Any) -> str:
    if isinstance(model, RouterLLM):
        return str(model.chat([ChatMessage(content="hi")]).message.content)
    return str(model.invoke("hi").content)


def stream(model: Any) -> str:
    if isinstance(model, RouterLLM):
        return str([*model.stream_chat([ChatMessage(content="hi")])][-1].message.content)
    return "".join(str(chunk.content) for chunk in model.stream("hi"))


def aask(model: Any) -> str:
    async def asked() -> str:
        if isinstance(model, RouterLLM):
            return str((await model.achat([ChatMessage(content="hi")])).message.content)
        return str((await model.ainvoke("hi")).content)

    return asyncio.run(asked())


def astream(model: Any) -> str:
    async def asked() -> str:
        if isinstance(model, RouterLLM):
            return str(
                [chunk async for chunk in await model.astream_chat([ChatMessage(content="hi")])][-1].message.content
            )
        return "".join([str(chunk.content) async for chunk in model.astream("hi")])

    return asyncio.run(asked())


def says(text: str, *, streams: bool) -> Step:
    return sse(piece(text), piece(finish="stop")) if streams else reply(completion(text))


WAYS = [ask, stream, aask, astream]
PAIRS = [(chain, ChatRouter), (sdk_chain, ChatRouter), (rag, RouterLLM), (chain, RouterLLM)]
everywhere = pytest.mark.parametrize(("inside", "kind"), PAIRS)


def gates(router: Any) -> dict[str, str]:
    return {row["model"]: row["held_by"] for row in router.router.health()}


@pytest.mark.parametrize("way", WAYS)
@everywhere
def test_the_next_model_is_asked_at_once_and_the_inner_router_left_alone_for_that_time(
    inside: Callable[..., Any], kind: type, way: Callable[[Any], str]
) -> None:
    good = says("from b", streams=way in (stream, astream))
    with ChatServer(LATER) as server, ChatServer(good) as beside:
        outer = around(kind, inside(server.base_url), beside.base_url)
        assert way(outer) == "from b"
        assert gates(outer) == {"inner": "rate_limit", "b": ""}
        (row, _) = outer.router.health()
        assert 20 < row["held_for_s"] <= 25
        assert (row["state"], row["failed"]) == ("closed", 0)
        assert way(outer) == "from b"
        assert (len(server.seen), len(beside.seen)) == (1, 2)


@pytest.mark.parametrize("way", WAYS)
@everywhere
def test_alone_the_inner_router_waits_as_it_does_without_one_around(
    inside: Callable[..., Any], kind: type, way: Callable[[Any], str]
) -> None:
    good = says("from a", streams=way in (stream, astream))
    with ChatServer(SOON, good) as server:
        outer = around(kind, inside(server.base_url))
        assert way(outer) == "from a"
        assert len(server.seen) == 2
        assert [row["calls"] for row in outer.router.health()] == [1]


@pytest.mark.parametrize("way", [ask, aask])
def test_the_last_one_left_may_wait(way: Callable[[Any], str]) -> None:
    """The first is limited, the second limited and an inner router: nobody is left that could be asked instead."""
    with ChatServer(SOON, says("from a", streams=False)) as server, ChatServer(LATER) as limited:
        models = [
            (ChatEndpoint(base_url=limited.base_url, model="b"), {"id": "b"}),
            (chain(server.base_url), {"id": "in"}),
        ]
        assert way(ChatRouter(models=models, policy="single")) == "from a"
        assert (len(limited.seen), len(server.seen)) == (1, 2)


def test_through_two_routers_the_outermost_goes_elsewhere() -> None:
    with ChatServer(LATER) as server, ChatServer(says("from b", streams=False)) as beside:
        middle = around(ChatRouter, chain(server.base_url))
        outer = around(ChatRouter, middle, beside.base_url)
        assert ask(outer) == "from b"
        assert gates(outer) == {"inner": "rate_limit", "b": ""}
        assert gates(middle) == {"inner": "rate_limit"}


@pytest.mark.parametrize("way", [ask, aask])
def test_a_full_inner_router_is_passed_by_and_counts_as_limited(way: Callable[[Any], str]) -> None:
    began = threading.Event()

    def slow(wire: Wire) -> bool:
        began.set()
        return stall(wire)

    with ChatServer(slow) as server, ChatServer(says("from b", streams=False)) as beside:
        card = {"id": "a", "limits": {"concurrency": 1}}
        inner = ChatRouter(models=[(ChatEndpoint(base_url=server.base_url, model="a"), card)], policy="single")
        first = threading.Thread(target=lambda: _quietly(inner), daemon=True)
        first.start()
        assert began.wait(10)
        outer = around(ChatRouter, inner, beside.base_url)
        assert way(outer) == "from b"
        assert [(a["model"], a["fault"]) for a in _attempts(outer)] == [("inner", "rate_limited"), ("b", None)]
        assert outer.router.health()[0]["state"] == "closed"
        assert len(server.seen) == 1
        with pytest.raises(RouterBusy) as caught:
            inner.with_config(configurable={"router": {"deadline_s": 0.001}}).invoke("hi")
        assert caught.value.retry_after_s is not None
    first.join(10)


def _quietly(inner: ChatRouter) -> None:
    try:
        inner.invoke("hi")
    except AllCandidatesFailed:  # the server has gone meanwhile
        return


def _attempts(outer: ChatRouter) -> list[dict[str, Any]]:
    return [{"model": call.model, "fault": call.fault} for call in outer.router.ledger.calls()]


def test_errors_tell_when_the_same_may_be_asked_again() -> None:
    with ChatServer(LATER) as first, ChatServer(reply({"error": {"message": "no"}}, 429, ["retry-after: 9"])) as second:
        pair = [(ChatEndpoint(base_url=s.base_url, model=id), {"id": id}) for s, id in ((first, "a"), (second, "b"))]
        router = ChatRouter(models=pair, policy="single", retry={"max_wait_s": 1})
        with pytest.raises(AllCandidatesFailed) as caught:
            router.invoke("hi")
        assert caught.value.retry_after_s == pytest.approx(9, abs=0.5)
        with pytest.raises(RouterBusy) as busy:
            router.invoke("hi")
        assert busy.value.retry_after_s == pytest.approx(9, abs=0.5)
    with ChatServer(LATER) as first, ChatServer(reply({"error": {"message": "no"}}, 500)) as second:
        pair = [(ChatEndpoint(base_url=s.base_url, model=id), {"id": id}) for s, id in ((first, "a"), (second, "b"))]
        with pytest.raises(AllCandidatesFailed) as caught:
            ChatRouter(models=pair, policy="single", retry={"max_wait_s": 0}).invoke("hi")
        assert caught.value.retry_after_s is None  # the second asks for nothing
