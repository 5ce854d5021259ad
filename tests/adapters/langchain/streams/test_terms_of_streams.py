"""The terms of a stream are those of the call that asked for it, wherever its chunks are read."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any

from fakes import Scripted
from routers import add, router

from langchain_router import ChatRouter, routing


def two() -> ChatRouter:
    return router(Scripted(name_="x"), Scripted(name_="y"))


def answered(chunks: list[Any]) -> str:
    return str(chunks[-1].response_metadata["router"]["model"])


async def drained(chunks: AsyncIterator[Any]) -> list[Any]:
    return [chunk async for chunk in chunks]


def tenants(model: ChatRouter) -> set[Any]:
    return set(model.router.ledger.total(by=("tenant",)))


def test_a_stream_that_is_read_after_the_block_has_its_terms() -> None:
    model = two()
    with routing(tenant="acme", pin="fake/y", tags=["a"]):
        chunks = model.stream("hi")
    assert inspect.isgenerator(chunks)
    assert answered(list(chunks)) == "fake/y"
    assert tenants(model) == {("acme",)}
    assert model.invoke("hi").response_metadata["router"]["model"] == "fake/x"


async def test_so_does_an_async_one() -> None:
    model = two()
    with routing(tenant="acme", pin="fake/y"):
        chunks = model.astream("hi")
    assert inspect.isasyncgen(chunks)
    assert answered(await drained(chunks)) == "fake/y"
    assert tenants(model) == {("acme",)}


async def test_so_do_those_of_what_is_bound_to_it() -> None:
    model = two()
    heard: list[Any] = []
    bound = model.bind_tools([add]).with_config(tags=["a"]).with_listeners(on_end=heard.append)
    with routing(pin="fake/y"):
        streams = bound.stream("hi", {"tags": ["b"]}), bound.astream("hi")
    assert answered(list(streams[0])) == answered(await drained(streams[1])) == "fake/y"
    assert len(heard) == 2
    assert set(model.router.ledger.calls()[0].tags) == {"a", "b"}


def test_so_does_a_stream_of_events() -> None:
    model = two()
    with routing(pin="fake/y"):
        events = model.stream_events("hi", version="v3")
    assert events.output.response_metadata["router"]["model"] == "fake/y"


def test_each_step_may_be_in_a_context_of_its_own() -> None:
    """As a web server reads a blocking generator: in threads, with copies of the request's context."""
    model, found = two(), []
    with routing(pin="fake/y"):
        chunks = model.stream("hi")

    def step(left: Iterator[Any]) -> Any:
        return next(left, None)

    while (chunk := copy_context().run(step, chunks)) is not None:
        found.append(chunk)
    assert answered(found) == "fake/y"


def test_what_the_config_states_is_above_them_and_what_is_in_force_below() -> None:
    model = two()
    with routing(tenant="asked", pin="fake/y"):
        chunks = model.stream("hi", {"configurable": {"router": {"tenant": "stated"}, "thread_id": "t"}})
    with routing(tenant="read", pin="fake/x", task="code"):
        assert answered(list(chunks)) == "fake/y"
    (call,) = model.router.ledger.calls()
    assert (call.tenant, call.task, call.session) == ("stated", "code", "t")


def test_a_stream_that_is_asked_for_without_terms_has_those_where_it_is_read() -> None:
    model = two()
    chunks = model.stream("hi")
    with routing(pin="fake/y"):
        assert answered(list(chunks)) == "fake/y"


def test_they_reach_a_router_within_the_router() -> None:
    inner = two()
    outer = ChatRouter(models=[inner])
    with routing(tenant="acme", allow=["fake/y", "ChatRouter", *outer.router.registry.entries]):
        chunks = outer.stream("hi")
    list(chunks)
    (call,) = inner.router.ledger.calls()
    assert (call.tenant, call.model) == ("acme", "fake/y")


def test_data_rules_hold() -> None:
    model = router(
        (Scripted(name_="x"), {"data": {"regions": ["us"]}}), (Scripted(name_="y"), {"data": {"regions": ["eu"]}})
    )
    with routing(data={"regions": ["eu"]}):
        chunks = model.stream("hi")
    assert answered(list(chunks)) == "fake/y"
