"""The eight base methods: each is answered by the candidate's own, annotated, with fallback."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import httpcore
import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Refuse, Say
from llama_index.core.llms import ChatMessage

from capability_router import ModelCard
from llamaindex_router import (
    AllCandidatesFailed,
    ConfigError,
    EndpointLLM,
    NoEligibleModel,
    RouterLLM,
    StreamInterrupted,
    routing,
)
from llamaindex_router.attempts.transcript import Transcript

ALWAYS = {"request_id", "model", "provider", "attempts", "fallback"}
ALL = ALWAYS | {"reason", "cost_usd", "policy"}
HI = [ChatMessage(content="hi")]


async def unary(llm: RouterLLM, way: str, **kwargs: Any) -> Any:
    if way == "chat":
        return llm.chat(HI, **kwargs)
    if way == "achat":
        return await llm.achat(HI, **kwargs)
    return llm.complete("hi", **kwargs) if way == "complete" else await llm.acomplete("hi", **kwargs)


async def streamed(llm: RouterLLM, way: str) -> list[Any]:
    if way == "stream_chat":
        return list(llm.stream_chat(HI))
    if way == "stream_complete":
        return list(llm.stream_complete("hi"))
    opened = await (llm.astream_chat(HI) if way == "astream_chat" else llm.astream_complete("hi"))
    return [chunk async for chunk in opened]


UNARY = ["chat", "achat", "complete", "acomplete"]
STREAMS = ["stream_chat", "astream_chat", "stream_complete", "astream_complete"]


def text_of(response: Any) -> str:
    return str(getattr(response, "text", None) or response.message.content)


@pytest.mark.parametrize("way", UNARY)
async def test_answers_and_says_who(pair: RouterLLM, way: str) -> None:
    response = await unary(pair, way)
    facts = response.additional_kwargs["router"]
    assert text_of(response) == "hello world"
    assert set(facts) == ALL
    assert (facts["model"], facts["attempts"], facts["fallback"]) == ("a", 1, False)
    assert facts["cost_usd"] == pytest.approx(100e-6 * 1 + 20e-6 * 2)
    assert response.raw


@pytest.mark.parametrize("way", UNARY)
async def test_falls_back_on_429(pair: RouterLLM, server: ChatServer, way: str) -> None:
    server.script("a", Refuse(429))
    facts = (await unary(pair, way)).additional_kwargs["router"]
    assert (facts["model"], facts["attempts"], facts["fallback"]) == ("b", 2, True)
    assert len(server.of("a")) == 1


@pytest.mark.parametrize("way", STREAMS)
async def test_streams_with_facts_on_every_chunk(pair: RouterLLM, way: str) -> None:
    chunks = await streamed(pair, way)
    assert "".join(c.delta or "" for c in chunks) == "hello world" == text_of(chunks[-1])
    assert all(set(c.additional_kwargs["router"]) >= ALWAYS for c in chunks)
    assert set(chunks[-1].additional_kwargs["router"]) == ALL
    assert chunks[-1].additional_kwargs["router"]["cost_usd"] == pytest.approx(140e-6)
    assert all("cost_usd" not in c.additional_kwargs["router"] for c in chunks[:-1])


@pytest.mark.parametrize("way", STREAMS)
async def test_a_chunk_is_not_ahead_of_its_delta_if_all_events_are_read_together(
    built_in: Callable[..., Any], server: ChatServer, way: str
) -> None:
    calls = (("note", {"text": "a"}), ("note", {"text": "b"}))
    server.script("a", Say("one two three", tools=calls, reasoning="hm", at_once=True))
    said, called = "", list[int]()
    for chunk in await streamed(RouterLLM(models=[built_in("a")]), way):
        said += chunk.delta
        assert ((chunk.message.content or "") if way.endswith("chat") else chunk.text) == said
        called.append(len(chunk.message.additional_kwargs.get("tool_calls", ())) if way.endswith("chat") else 0)
    assert said == "one two three"
    assert called == sorted(called)
    assert called[:5] == [0] * 5


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("broken", [Refuse(429), Cut(0)], ids=["429", "cut before the first token"])
async def test_streams_fall_back_before_the_first_token(
    pair: RouterLLM, server: ChatServer, way: str, broken: Any
) -> None:
    server.script("a", broken)
    chunks = await streamed(pair, way)
    assert text_of(chunks[-1]) == "hello world"
    assert chunks[0].additional_kwargs["router"]["model"] == "b"
    assert chunks[-1].additional_kwargs["router"]["attempts"] == 2


def test_a_stream_under_a_clock_is_judged_when_all_of_it_is_read(
    like: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its candidate may have ended in another thread before its second chunk is looked at."""

    def attempts() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("router attempt")}

    def take(transcript: Transcript, response: Any) -> bool:
        carries = taken(transcript, response)
        while attempts() - before:
            time.sleep(0.001)
        return carries

    taken, before = Transcript.take, attempts()  # one that another test has parked stays for ever
    monkeypatch.setattr(Transcript, "take", take)
    llm = RouterLLM(models=[like("a"), like("b")], policy="single", timeouts={"first_token": 10})
    chunks = list(llm.stream_chat(HI))
    assert text_of(chunks[-1]) == "hello world"
    assert chunks[-1].additional_kwargs["router"]["attempts"] == 1


@pytest.mark.parametrize("way", STREAMS)
async def test_a_stream_that_breaks_later_raises_and_is_never_continued(
    pair: RouterLLM, server: ChatServer, way: str
) -> None:
    server.script("a", Say("all is well"), Cut(2))
    await streamed(pair, way)  # a is now known to give terminal reasons
    with pytest.raises(StreamInterrupted) as caught:
        await streamed(pair, way)
    assert caught.value.partial == "one two"
    assert not server.of("b")


def test_returns_real_generators(pair: RouterLLM) -> None:
    assert isinstance(pair.stream_chat(HI), Generator)
    assert isinstance(pair.stream_complete("hi"), Generator)


async def test_returns_real_async_generators(pair: RouterLLM) -> None:
    for opened in (await pair.astream_chat(HI), await pair.astream_complete("hi")):
        assert isinstance(opened, AsyncGenerator)
        await opened.aclose()


def test_the_first_chunk_is_fetched_before_the_generator_is_returned(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(500))
    server.script("b", Refuse(500))
    with pytest.raises(AllCandidatesFailed) as caught:
        pair.stream_chat(HI)
    assert [f.model for f in caught.value.failures][:1] == ["a"]
    assert caught.value.__cause__ is not None


def test_closing_a_stream_early_is_no_fault(pair: RouterLLM) -> None:
    opened = pair.stream_chat(HI)
    next(opened)
    opened.close()
    assert [row["model"] for row in pair.router.health()] == ["a", "b"]
    assert len(pair.router.ledger.calls()) == 1
    assert pair.chat(HI).additional_kwargs["router"]["model"] == "a"


def test_annotation_can_be_switched_off(child: Callable[..., Any]) -> None:
    llm = RouterLLM(models=[child("a")], annotate=False)
    assert "router" not in llm.chat(HI).additional_kwargs
    assert all("router" not in c.additional_kwargs for c in llm.stream_chat(HI))


def test_nothing_of_ours_reaches_messages_or_bodies(pair: RouterLLM, server: ChatServer) -> None:
    first = pair.chat(HI)
    assert "router" not in first.message.additional_kwargs
    pair.chat([*HI, first.message, ChatMessage(content="and now?")])
    assert "router" not in str(server.requests)


def test_every_attempt_gets_its_own_arguments(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(503))
    history = [ChatMessage(content="first")]
    pair.chat_with_tools([], user_msg="do it", chat_history=history)
    assert [m.content for m in history] == ["first"]
    bodies = [server.of("a")[0]["messages"], server.of("b")[0]["messages"]]
    assert [[m["content"] for m in body] for body in bodies] == [["first", "do it"]] * 2


def test_explain_takes_the_keywords_of_a_call() -> None:
    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    small = ModelCard(id="small", endpoint=endpoint, context_window=1_000, streaming=False, json_mode=False)
    llm = RouterLLM(models=[small, ModelCard(id="large", endpoint=endpoint)], policy="single", unknown="allow")
    assert llm.explain("hi").chosen.id == "small"
    for words in ({"stream": True}, {"max_tokens": 999}, {"response_format": {"type": "json_object"}}):
        (refusal,) = llm.explain("hi", **words).refusals
        assert refusal.model == "small"
    assert llm.explain("hi", model="large").chosen.id == "large"
    with pytest.raises(ConfigError, match="did you mean 'tenant'"):
        llm.explain("hi", tennant="acme")


def test_explain_calls_nobody(pair: RouterLLM, server: ChatServer) -> None:
    plan = pair.explain("hello", deny=["a"])
    assert plan.chosen.id == "b"
    assert plan.refusals[0].model == "a"
    assert not server.requests


@pytest.mark.parametrize("messages", ["hi", ["hi"], [{"role": "user", "content": "hi"}], ChatMessage(content="hi")])
def test_what_is_no_list_of_messages_is_told_and_not_sent(pair: RouterLLM, server: ChatServer, messages: Any) -> None:
    for ask in (pair.chat, pair.stream_chat):
        with pytest.raises(ConfigError, match="must be a list of ChatMessage"):
            ask(messages)
    assert not server.requests


def test_terms_hold(pair: RouterLLM) -> None:
    with routing(pin="b", tenant="acme", tags=["nightly"]):
        assert pair.chat(HI).additional_kwargs["router"]["model"] == "b"
    assert list(pair.router.ledger.total(by=("tenant",))) == [("acme",)]


def test_the_keyword_model_pins_a_candidate(pair: RouterLLM, server: ChatServer) -> None:
    assert pair.chat(HI, model="b").additional_kwargs["router"]["model"] == "b"
    assert server.requests[-1]["model"] == "b"


def test_no_eligible_model_is_told_with_reasons(pair: RouterLLM, server: ChatServer) -> None:
    with pytest.raises(NoEligibleModel, match="window"):
        pair.chat([ChatMessage(content="word " * 40_000)])
    assert not server.requests


def test_defaults_reach_the_chosen_model(child: Callable[..., Any], server: ChatServer) -> None:
    llm = RouterLLM(models=[child("a")], temperature=0.25, max_tokens=77)
    llm.chat(HI)
    assert (server.requests[0]["temperature"], server.requests[0]["max_tokens"]) == (0.25, 77)
    assert llm.metadata.num_output == 77


def test_own_retries_are_off_and_the_users_object_is_left_alone(like: Callable[..., Any], server: ChatServer) -> None:
    own = like("a", max_retries=3)
    server.script("a", Refuse(503))
    with pytest.raises(AllCandidatesFailed):
        RouterLLM(models=[own], retry={"per_target": 1, "attempts": 1}).chat(HI)
    assert len(server.requests) == 1
    assert own.max_retries == 3


@pytest.mark.parametrize("way", [*UNARY, *STREAMS])
async def test_a_model_that_hangs_is_left(child: Callable[..., Any], server: ChatServer, way: str) -> None:
    released = threading.Event()

    def hang(_: dict[str, Any]) -> Say:
        released.wait(20)
        return Say("too late")

    server.script("a", hang)
    models = [(child("a"), {"id": "a"}), (child("b"), {"id": "b"})]
    llm = RouterLLM(models=models, policy="single", timeouts={"first_token": 0.3, "total": 0.3})
    try:
        response = await unary(llm, way) if way in UNARY else (await streamed(llm, way))[-1]
    finally:
        released.set()
    assert response.additional_kwargs["router"]["model"] == "b"
    assert text_of(response) == "hello world"
    assert "timeout" not in server.of("b")[0]


def test_thinking_is_passed_on(child: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", Say("forty two", reasoning="hm"))
    chunks = list(RouterLLM(models=[child("a")]).stream_chat(HI))
    assert [c.additional_kwargs["thinking_delta"] for c in chunks if "thinking_delta" in c.additional_kwargs] == ["hm"]
    assert chunks[-1].message.blocks[0].block_type == "thinking"


def test_endpoints_without_a_key_send_none(server: ChatServer) -> None:
    assert EndpointLLM(base_url=server.url, model="a").chat(HI).message.content == "hello world"


@pytest.mark.parametrize("read", [1, 2])
async def test_a_stream_that_is_left_gives_its_connection_back_at_once(
    like: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    """Else the garbage collector does, perhaps under the connection pool's own lock: for ever."""
    given_back: list[str] = []
    for pool in (httpcore._sync.connection_pool, httpcore._async.connection_pool):
        kind = getattr(pool, "PoolByteStream", None) or pool.ConnectionPoolByteStream  # httpcore 1.0.0's name
        _spied(kind, given_back, monkeypatch)
    llm = RouterLLM(models=[like("a")])
    gc.disable()
    try:
        opened = llm.stream_chat(HI)
        for _ in range(read):
            next(opened)
        opened.close()
        assert set(given_back) == {"close"}
        aopened = await llm.astream_chat(HI)
        for _ in range(read):
            await anext(aopened)
        await aopened.aclose()
        assert set(given_back) == {"close", "aclose"}
    finally:
        gc.enable()


def _spied(kind: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "aclose" if hasattr(kind, "aclose") else "close"
    original = getattr(kind, name)

    def spy(self: Any) -> Any:
        calls.append(name)
        return original(self)

    monkeypatch.setattr(kind, name, spy)
