"""Answers that are shown while they are made, by callbacks: what was shown of a failed one is declared void."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Recorder, Scripted, metadata
from joke import Joke
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from langchain_openai import ChatOpenAI
from openai_server import Server
from pydantic import Field

from langchain_router import AllCandidatesFailed, ChatRouter, StreamInterrupted


class Events(BaseCallbackHandler):
    """Keeps custom events."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        self.seen.append((name, data))


def model(server: Server, name: str, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False, **more)


def routed(server: Server, *names: str, streaming: bool = False, **settings: Any) -> ChatRouter:
    more = {"streaming": True} if streaming else {}
    models = [model(server, name, **more) for name in names]
    return ChatRouter(models=models, **{"policy": "single", **settings})


@pytest.mark.parametrize("name", ["half-x", "cut-x"])
def test_an_answer_gathered_from_a_cut_stream_is_never_taken_for_whole(server: Server, name: str) -> None:
    """`ChatOpenAI(streaming=True).invoke` alone gives the half of it without a word."""
    answered = routed(server, name, "ok-y", streaming=True).invoke("hi")
    assert (answered.content, answered.response_metadata["router"]["attempts"]) == ("a b c", 2)
    with pytest.raises(AllCandidatesFailed, match=r"terminal reason|before its first"):
        routed(server, name, streaming=True, retry={"per_target": 0}).invoke("hi")


async def test_the_same_async(server: Server) -> None:
    answered = await routed(server, "half-x", "ok-y", streaming=True).ainvoke("hi")
    assert (answered.content, answered.response_metadata["router"]["fallback"]) == ("a b c", True)


@pytest.mark.parametrize("include_raw", [False, True])
def test_half_a_structured_answer_is_its_providers_fault(server: Server, include_raw: bool) -> None:
    router, tracer = routed(server, "half-x", "ok-y", streaming=True), Recorder()
    structured = router.with_structured_output(Joke, method="json_mode", include_raw=include_raw)
    given = structured.invoke("hi", {"callbacks": [tracer]})
    assert (given["parsed"] if include_raw else given) == Joke(setup="test", punchline="test")
    assert metadata(tracer.roots[0])["router_faults"] == "1 openai/half-x: truncated"


async def test_a_ui_learns_which_message_is_void(server: Server) -> None:
    """Under astream_events an `invoke` inside a chain is streamed, as an agent's calls are."""
    router = routed(server, "half-x", "ok-y")
    chain = RunnableLambda(lambda text, config: router.invoke(text, config))
    events = [e async for e in chain.astream_events("hi", version="v2")]
    (void,) = [e for e in events if e["event"] == "on_custom_event"]
    shown = [e["data"]["chunk"] for e in events if e["event"] == "on_chat_model_stream"]
    first = next(c.id for c in shown if c.content)
    assert void["name"] == "router_voided"
    assert void["data"] == {
        "message_id": first, "tokens": 1, "after": "truncated", "attempt": 2, "candidate": "openai/ok-y",
    }  # fmt: skip
    kept = [c for c in shown if c.id != void["data"]["message_id"]]
    assert "".join(c.content for c in kept) == "a b c"
    assert events[-1]["data"]["output"].content == "a b c"


def test_an_agents_stream_too(server: Server) -> None:
    events, router = Events(), routed(server, "half-x", "ok-y")
    stream = create_agent(router, []).stream({"messages": "hi"}, {"callbacks": [events]}, stream_mode="messages")
    chunks = [m for m, _ in stream if isinstance(m, AIMessageChunk)]
    ((name, void),) = events.seen
    assert name == "router_voided"
    assert "".join(c.content for c in chunks if c.id != void["message_id"]) == "a b c"


def test_nothing_is_void_where_nothing_was_shown(server: Server) -> None:
    events = Events()
    for name in ("fail-x", "ok-x"):
        routed(server, name, "ok-y").invoke("hi", {"callbacks": [events]})
    routed(server, "cut-x", "ok-y", streaming=True).invoke("hi", {"callbacks": [events]})
    assert events.seen == []


@pytest.mark.parametrize("settings", [{}, {"on_partial": "raise"}])
def test_on_partial_says_whether_another_may_answer(server: Server, settings: dict[str, Any]) -> None:
    router = routed(server, "half-x", "ok-y", streaming=True, **settings)
    if settings:
        with pytest.raises(ConnectionError):
            router.invoke("hi", {"callbacks": [Events()]})
    else:
        assert isinstance(router.invoke("hi", {"callbacks": [Events()]}), AIMessage)


class Live(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """Makes an `invoke` stream, as an agent's stream does, and keeps what it is told."""

    run_inline = True

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        if token:
            self.tokens.append(token)


class Stalling(Scripted):
    """Gives a token, waits until it may go on, and gives the others."""

    may_go_on: Any = Field(default_factory=threading.Event)
    over: Any = Field(default_factory=threading.Event)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            for i, chunk in enumerate(super()._stream(*args, **kwargs)):
                assert i == 0 or self.may_go_on.wait(20)
                if kwargs.get("run_manager"):
                    kwargs["run_manager"].on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            self.over.set()


def test_of_an_attempt_that_is_given_up_nothing_more_is_shown() -> None:
    """Its thread can't be cancelled: it is ended at its next token."""
    late, live = Stalling(name_="late"), Live()
    router = ChatRouter(models=[late, Scripted(name_="next", script=["d e"])], policy="single", timeouts={"total": 0.2})
    assert router.invoke("hi", {"callbacks": [live]}).content == "d e"
    shown = list(live.tokens)
    assert shown[0] == "a"
    late.may_go_on.set()
    assert late.over.wait(20)
    assert live.tokens == shown


def test_nor_of_one_whose_stream_was_too_late() -> None:
    late, live = Stalling(name_="late"), Live()
    router = ChatRouter(models=[late], timeouts={"total": 0.2})
    with pytest.raises(StreamInterrupted):
        list(router.stream("hi", {"callbacks": [live]}))
    late.may_go_on.set()
    assert late.over.wait(20)
    assert live.tokens == ["a"]


def test_nor_does_a_tracer_hear_of_a_run_twice(caplog: pytest.LogCaptureFixture) -> None:
    """Its run was ended with the attempt; the end that its own thread tells of later is none."""
    late, tracer = Stalling(name_="late"), Recorder()
    with pytest.raises(StreamInterrupted):
        list(ChatRouter(models=[late], timeouts={"total": 0.2}).stream("hi", {"callbacks": [tracer]}))
    ((_, _, ended, [(_, _, cut, _)]),) = tracer.tree()
    assert (ended, cut, metadata(tracer.roots[0].child_runs[0])["router_fault"]) == ("error", "error", "timeout")
    told = tracer.roots[0].child_runs[0].error
    late.may_go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("router attempt"):
            thread.join(20)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("langchain_core")] == []
    assert (tracer.roots[0].child_runs[0].error, tracer.run_map) == (told, {})


def test_of_a_hedge_that_lost_nothing_is_shown() -> None:
    """Its thread can't be cancelled: it is stopped before its next token is handed out."""
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    class Late(Scripted):
        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
            return {**super()._get_ls_params(), "ls_provider": "another"}  # a hedge goes to who does not fail with it

        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            begun.set()
            try:
                gate.wait(20)
                yield from super()._stream(*args, **kwargs)
            finally:
                ended.set()

    class Second(Scripted):
        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            assert begun.wait(20)
            yield from super()._stream(*args, **kwargs)

    tracer = Recorder()
    models = [Late(name_="x", script=["x1 x2"]), Second(name_="y", script=["y1 y2"])]
    router = ChatRouter(models=models, policy="single", hedge={"after_s": 0.01, "extra": 1})
    stream = router.stream("hi", {"callbacks": [tracer]})
    first = next(stream)
    gate.set()
    assert ended.wait(20)
    text = first.content + "".join(c.content for c in stream)
    assert text == "y1 y2"
    assert tracer.tokens == ["y1", " y2"]
