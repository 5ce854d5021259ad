"""The fault class on the run of the model that failed, also where only the router could judge, after its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import Recorder, Scripted, metadata
from joke import Joke
from langchain_core.tracers.langchain import LangChainTracer
from langchain_openai import ChatOpenAI
from langsmith import Client
from langsmith_backends import Backend, traced
from langsmith_server import LangSmithServer
from openai_server import Server
from traced import Traced

from langchain_router import ChatEndpoint, ChatRouter, StreamInterrupted


class Silent(Scripted):
    """Never says anything."""

    async def _agenerate(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


def endpoints(server: Server, *names: str, **settings: Any) -> ChatRouter:
    able: Any = {"tool_calling": True, "structured_output": True}
    models = [ChatEndpoint(base_url=server.url, model=name, provider="house", **able) for name in names]
    return ChatRouter(models=models, policy="single", **settings)


def fault(run: Traced) -> str | None:
    told = run.metadata.get("router_fault")
    return None if told is None else str(told)


def assert_told(backend: Backend, kind: str) -> list[Traced]:
    """The models' runs: the first one says the fault, and no other."""
    (root,) = backend.tree()
    assert root.metadata["router_faults"].endswith(f": {kind}")
    first, *others = root.below("llm")
    assert fault(first) == kind
    assert [fault(run) for run in others] == [None] * len(others)
    assert all(run.metadata["router_after"] == kind for run in others)
    return [first, *others]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_answer_that_its_parser_rejects(server: Server, backend: Backend, asynchronous: bool) -> None:
    structured = endpoints(server, "bad-x", "ok-y").with_structured_output(Joke)
    joke = await structured.ainvoke("hi", traced(backend)) if asynchronous else structured.invoke("hi", traced(backend))
    assert joke == Joke(setup="test", punchline="test")
    (root,) = backend.tree()
    first, second = root.children
    assert fault(first) == "unparsable"
    model, parser = first.children
    assert (model.kind, model.error, model.usage) == ("llm", "", (10, 3))  # it was billed
    assert fault(model) == "unparsable"
    assert (parser.kind, fault(parser)) == ("parser", "unparsable")
    assert [fault(run) for run in second.all()] == [None] * 3
    assert second.metadata["router_after"] == "unparsable"


def test_an_answer_that_its_parser_rejects_without_raising(server: Server, backend: Backend) -> None:
    structured = endpoints(server, "bad-x", "ok-y").with_structured_output(Joke, include_raw=True)
    assert structured.invoke("hi", traced(backend))["parsed"] == Joke(setup="test", punchline="test")
    first, _ = assert_told(backend, "unparsable")
    assert (first.error, first.usage) == ("", (10, 3))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_empty_answer(backend: Backend, asynchronous: bool) -> None:
    model = ChatRouter(models=[Scripted(name_="x", script=[""]), Scripted(name_="y")], policy="single")
    answer = await model.ainvoke("hi", traced(backend)) if asynchronous else model.invoke("hi", traced(backend))
    assert answer.text == "a b c"
    first, _ = assert_told(backend, "empty")
    assert first.usage == (10, 3)


@pytest.mark.parametrize("verb", ["ainvoke", "astream"])
async def test_a_model_that_says_nothing(backend: Backend, verb: str) -> None:
    models = [Silent(name_="x"), Scripted(name_="y")]
    clocks = {"total": "400ms"} if verb == "ainvoke" else {"first_token": "400ms"}
    model = ChatRouter(models=models, policy="single", timeouts=clocks)
    if verb == "ainvoke":
        await model.ainvoke("hi", traced(backend))
    else:
        [chunk async for chunk in model.astream("hi", traced(backend))]
    first, _ = assert_told(backend, "timeout")
    assert "CancelledError" in first.error


@pytest.mark.parametrize("name", ["cut-x", "half-x"])
def test_a_stream_without_an_end(server: Server, backend: Backend, name: str) -> None:
    """Of the first text nobody has seen anything, of the second one something."""
    broken = ChatOpenAI(model=name, base_url=server.url, api_key="sk-test", use_responses_api=False)
    model = ChatRouter(models=[(broken, {"id": "x"}), Scripted(name_="y")], policy="single")
    if name == "cut-x":
        list(model.stream("hi", traced(backend)))
    else:
        with pytest.raises(StreamInterrupted):
            list(model.stream("hi", traced(backend)))
    assert_told(backend, "truncated")


def test_a_caller_who_leaves(backend: Backend) -> None:
    stream = ChatRouter(models=[Scripted()]).stream("hi", traced(backend))
    next(stream)
    stream.close()
    (only,) = assert_told(backend, "cancelled")
    assert "GeneratorExit" in only.error


def test_the_inner_of_two_routers_names_the_fault(server: Server, backend: Backend) -> None:
    inner = endpoints(server, "dead-x", retry={"attempts": 1})
    outer = ChatRouter(models=[(inner, {"id": "inner"}), (endpoints(server, "ok-y"), {"id": "other"})], policy="single")
    assert outer.invoke("hi", traced(backend)).text == "a b c"
    (root,) = backend.tree()
    first, second = root.children
    assert [(run.name, fault(run)) for run in first.all()] == [
        ("ChatRouter", "server_error"),
        ("ChatEndpoint", "server_error"),
    ]
    assert [(run.name, fault(run)) for run in second.all()] == [("ChatRouter", None), ("ChatEndpoint", None)]
    assert [run.usage for run in root.all() if run.usage] == [(10, 3)]


async def test_any_tracer_that_keeps_runs_has_it() -> None:
    tracer = Recorder()
    model = ChatRouter(
        models=[Scripted(name_="x", script=[ConnectionError("x"), ""]), Scripted(name_="y")], policy="single"
    )
    await model.ainvoke("hi", {"callbacks": [tracer]})
    model.invoke("hi", {"callbacks": [tracer]})
    told = [[metadata(run).get("router_fault") for run in root.child_runs] for root in tracer.roots]
    assert told == [["connection", None], ["empty", None]]


def test_a_backend_that_takes_nothing_more_is_no_business_of_the_call(caplog: pytest.LogCaptureFixture) -> None:
    server = LangSmithServer()
    client = Client(api_url=server.url, api_key="x", auto_batch_tracing=False)  # posts are taken, patches are not
    model = ChatRouter(models=[Scripted(name_="x", script=[""]), Scripted(name_="y")], policy="single")
    with caplog.at_level(logging.WARNING, "langchain_router"):
        answer = model.invoke("hi", {"callbacks": [LangChainTracer(client=client)]})
    server.close()
    assert answer.text == "a b c"
    assert [r.getMessage() for r in caplog.records if r.name == "langchain_router"] == [
        "the end of a model's run could not be traced: LangSmithError"
    ] * 2
