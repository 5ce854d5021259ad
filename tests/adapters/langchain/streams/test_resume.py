"""A stream that breaks off goes on with another model, from the text so far, where the user asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from fakes import Recorder, Scripted
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter, StreamInterrupted
from langchain_router.attempts.continuation_joiner import ContinuationJoiner
from langchain_router.messages.chunk_merger import ChunkMerger

ABLE = {"assistant_prefill": True}


class BreakingCall(Scripted):
    """Breaks off within a tool call."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        call = tool_call_chunk(name="look", args='{"a', id="1", index=0)
        yield ChatGenerationChunk(message=AIMessageChunk(content="I look. "))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
        raise ConnectionError("gone")


def gpt(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False, stream_usage=True)


@pytest.fixture(params=["openai", "endpoint", "anthropic"])
def spare(request: pytest.FixtureRequest, server: Server, providers: ProviderServer) -> BaseChatModel:
    if request.param == "anthropic":
        return ChatAnthropic(model="ok-y", base_url=providers.url, api_key="k")
    return gpt(server, "ok-y") if request.param == "openai" else ChatEndpoint(base_url=server.url, model="ok-y")


def turns(server: Server, providers: ProviderServer) -> list[dict[str, Any]]:
    """The messages of the last request to the spare model."""
    seen = [body for name, body in (*server.seen, *providers.seen) if name == "ok-y"]
    return seen[-1]["messages"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_it_goes_on(spare: Any, server: Server, providers: ProviderServer, asynchronous: bool) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (spare, ABLE)], policy="single", resume=True)
    chunks = [c async for c in router.astream("hi")] if asynchronous else list(router.stream("hi"))
    whole = reduce(add, chunks)
    assert whole.text == "aa b c"  # "a", then all that the spare says
    told = whole.response_metadata["router"]
    assert (told["resumed"], told["attempts"]) == (1, 2)
    assert [c.chunk_position for c in chunks if c.chunk_position] == ["last"]
    last = turns(server, providers)[-1]
    assert (last["role"], last["content"]) in [("assistant", "a"), ("assistant", [{"type": "text", "text": "a"}])]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_sum_of_the_parts_names_one_model(spare: Any, server: Server, asynchronous: bool) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (spare, ABLE)], policy="single", resume=True)
    tracer = Recorder()
    config: Any = {"callbacks": [tracer]}
    chunks = [c async for c in router.astream("hi", config)] if asynchronous else list(router.stream("hi", config))
    told = reduce(add, chunks).response_metadata
    assert told["model_provider"] == "openai"
    assert told["model_name"] in ("half-x", "ok-y")
    assert told["router"]["model"].endswith("ok-y")
    (traced,) = tracer.roots[0].outputs["messages"]
    assert traced.response_metadata["model_provider"] == "openai"


def summed(*parts: list[AIMessageChunk]) -> Any:
    joint = ChunkMerger()
    return reduce(add, [out for i, part in enumerate(parts) for chunk in part for out in joint.take(chunk, i)])


def piece(content: Any = "", **metadata: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, response_metadata=metadata)


def test_a_part_does_not_say_again_what_an_earlier_one_has_said_of_itself() -> None:
    probable = {"content": [{"token": "a"}]}
    whole = summed(
        [piece("a", id="x", made=1, headers={"request": "r-1"}, logprobs=probable, nothing=None)],
        [piece("b", id="y", made="1 o'clock"), piece("", headers={"request": "r-2", "date": "d"}, nothing="n")],
        [piece("c", id="z", logprobs=probable, reason="stop")],
    )
    assert whole.text == "abc"
    assert whole.response_metadata == {
        "id": "x", "made": 1, "headers": {"request": "r-1", "date": "d"}, "nothing": "n", "reason": "stop",
        "logprobs": {"content": [{"token": "a"}, {"token": "a"}]},
    }  # fmt: skip


def test_a_part_says_again_what_it_says_of_itself_as_without_a_router() -> None:
    own = [piece("a", word="x", model_provider="p"), piece("b", word="y", model_provider="p")]
    assert summed([piece("-")], own).response_metadata == reduce(add, own).response_metadata


def test_blocks_of_two_providers_are_not_read_as_those_of_the_first() -> None:
    block = {"type": "text", "text": "a", "index": 0}
    texts = [[piece("a", model_provider="openai")], [piece("b", model_provider="anthropic")] * 2]
    assert summed(*texts).response_metadata["model_provider"] == "openai"
    mixed = summed([piece([block], model_provider="openai")], *texts[1:], *texts)
    assert mixed.response_metadata["model_provider"] == "openaianthropic"
    assert [part["text"] for part in mixed.content_blocks] == ["a", "bbabb"]


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_so_it_does_as_v3_events(
    spare: Any, server: Server, providers: ProviderServer, asynchronous: bool
) -> None:  # fmt: skip
    router = ChatRouter(models=[gpt(server, "half-x"), (spare, ABLE)], policy="single", resume=True)
    if asynchronous:
        stream = await router.astream_events("hi", version="v3")
        events, whole = [event async for event in stream], await stream
    else:
        stream = router.stream_events("hi", version="v3")
        events, whole = list(stream), stream.output
    assert whole.text == "aa b c"
    assert (whole.response_metadata["router"]["resumed"], whole.response_metadata["router"]["attempts"]) == (1, 2)
    assert whole.usage_metadata["output_tokens"] > 0
    kinds = [event["event"] for event in events]
    assert (kinds.count("message-start"), kinds.count("message-finish"), kinds[-1]) == (1, 1, "message-finish")
    assert one_lifecycle_each(events) == ["a", "a b c"]
    assert turns(server, providers)[-1]["role"] == "assistant"


def one_lifecycle_each(events: list[Any]) -> list[str]:
    """The texts of the blocks, each of which was opened, filled and closed once, in this order."""
    texts: dict[int, list[str]] = {}
    closed: dict[int, str] = {}
    for event in events:
        if event["event"] == "content-block-start":
            assert event["index"] not in texts
            texts[event["index"]] = []
        elif event["event"] == "content-block-delta":
            assert event["index"] not in closed
            texts[event["index"]].append(event["delta"]["text"])
        elif event["event"] == "content-block-finish":
            assert event["index"] not in closed
            closed[event["index"]] = event["content"]["text"]
    assert closed == {index: "".join(pieces) for index, pieces in texts.items()}
    return [closed[index] for index in sorted(closed)]


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
def test_a_block_that_a_broken_connection_left_open_is_closed() -> None:
    models = [Scripted(name_="x", script=["one  !"]), (Scripted(name_="y", script=[" two"]), ABLE)]
    router = ChatRouter(models=models, policy="single", resume=True)
    stream = router.stream_events("hi", version="v3")
    assert one_lifecycle_each(list(stream)) == ["one ", "two"]
    assert stream.output.text == "one two"


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
def test_v3_events_are_not_gone_on_with_without_being_asked_nor_once_a_tool_call_has_begun(server: Server) -> None:
    unasked = ChatRouter(models=[gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)], policy="single")
    models = [BreakingCall(name_="x"), (Scripted(name_="y"), ABLE)]
    for router in (unasked, ChatRouter(models=models, policy="single", resume=True)):
        with pytest.raises(StreamInterrupted):
            list(router.stream_events("hi", version="v3"))


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
@pytest.mark.parametrize("settings", [{"timeouts": {"first_token": 20, "between_tokens": 20}}, {"hedge": {"on": True}}])
def test_so_it_does_in_threads(server: Server, settings: dict[str, Any]) -> None:
    models = [gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)]
    router = ChatRouter(models=models, policy="single", resume=True, **settings)
    assert one_lifecycle_each(list(router.stream_events("hi", version="v3"))) == ["a", "a b c"]
    assert reduce(add, router.stream("hi")).text == "aa b c"


async def test_v2_events_show_both_parts_and_say_so_at_the_end(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)], policy="single", resume=True)
    events = [event async for event in router.astream_events("hi", version="v2")]
    own = [event for event in events if not event["parent_ids"]]
    parts = [event for event in events if event["event"] == "on_chat_model_stream"]
    shown = [event["data"]["chunk"] for event in own if event["event"] == "on_chain_stream"]
    assert "".join(chunk.text for chunk in shown) == "".join(e["data"]["chunk"].text for e in parts) == "aa b c"
    assert len({event["run_id"] for event in parts}) == 2
    assert reduce(add, shown).response_metadata["router"]["resumed"] == 1
    assert own[-1]["event"] == "on_chain_end"


def test_the_trace_has_both_attempts_and_the_books_too(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)], policy="single", resume=True)
    tracer = Recorder()
    list(router.stream("hi", {"callbacks": [tracer]}))
    assert [run.run_type for run in tracer.roots[0].child_runs] == ["llm", "llm"]
    assert [call.fault for call in router.router.ledger.calls()] == ["truncated", None]


def test_not_without_being_asked_nor_where_the_answer_is_parsed(server: Server) -> None:
    models = [gpt(server, "half-x"), (gpt(server, "ok-y"), ABLE)]
    schema = {"title": "T", "type": "object", "properties": {"setup": {"type": "string"}}}
    asked = ChatRouter(models=models, policy="single", resume=True)
    structured = asked.with_structured_output(schema, method="json_mode")
    for runnable in (ChatRouter(models=models, policy="single"), structured):
        with pytest.raises(StreamInterrupted):
            list(runnable.stream("hi"))


def test_spaces_are_not_doubled_where_the_parts_meet() -> None:
    models = [Scripted(name_="x", script=["one  !"]), (Scripted(name_="y", script=[" two three"]), ABLE)]
    router = ChatRouter(models=models, policy="single", resume=True)
    assert "".join(c.content for c in router.stream("hi")) == "one two three"
    assert models[1][0].calls[-1][-1].content == "one"


def test_nor_where_the_text_comes_in_blocks() -> None:
    seam = ContinuationJoiner("one ")
    pieces = [[], [{"type": "text", "text": " ", "index": 0}], [{"type": "text", "text": " two", "index": 0}, "x"]]
    joined = [seam.joined(AIMessageChunk(content=content)).content for content in pieces]
    text = {"type": "text", "index": 0}
    assert joined == [[], [{**text, "text": ""}], [{**text, "text": "two"}, "x"]]
    assert seam.joined(AIMessageChunk(content=" three")).content == " three"


@pytest.mark.parametrize("provider", ["mistral", "deepseek", "openai"])
def test_the_beginning_is_marked_where_a_provider_wants_that(server: Server, provider: str) -> None:
    spare = ChatEndpoint(base_url=server.url, model=f"ok-{provider}", provider=provider)
    list(ChatRouter(models=[gpt(server, "half-x"), (spare, ABLE)], policy="single", resume=True).stream("hi"))
    mark = {} if provider == "openai" else {"prefix": True}
    assert server.seen[-1][1]["messages"][-1] == {"role": "assistant", "content": "a", **mark}


def test_one_that_cannot_be_continued_again_says_by_whom_it_was(server: Server) -> None:
    models = [gpt(server, "half-x"), (gpt(server, "half-y"), ABLE)]
    router = ChatRouter(models=models, policy="single", resume=True, max_retries=1)
    words = r"half-y \(continuing the answer of openai/half-x\) broke off"
    with pytest.raises(StreamInterrupted, match=words) as told:
        list(router.stream("hi"))
    assert told.value.partial == "aa"
    assert "not tried" not in str(told.value)
