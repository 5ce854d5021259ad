"""The router over the real BedrockConverse, whose streams keep to themselves why they ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from adapters.llamaindex.bedrock_server import BedrockServer, Event, calls, ended, said
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.bedrock_converse import BedrockConverse

from llamaindex_router import RouterLLM, StreamInterrupted

WAYS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")
FIRST, SECOND = "anthropic.claude-3-5-sonnet-20241022-v2:0", "amazon.nova-lite-v1:0"


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@pytest.fixture
def server() -> Iterator[BedrockServer]:
    made = BedrockServer()
    made.scripts[SECOND] = [*said("from ", "the other"), *ended("end_turn")]
    yield made
    made.close()


def bedrock(server: BedrockServer, model: str) -> BedrockConverse:
    return BedrockConverse(
        model=model, endpoint_url=server.url, region_name="eu-west-1", aws_access_key_id="k",
        aws_secret_access_key="k", max_tokens=50,
    )  # fmt: skip


def routed(server: BedrockServer, *events: Event, **settings: Any) -> RouterLLM:
    """Over a model that streams these events, and a second one that answers."""
    server.scripts[FIRST] = list(events)
    models = [bedrock(server, model) for model in (FIRST, SECOND)]
    return RouterLLM(models=models, **{"policy": "single", **settings})


async def asked(llm: Any, way: str) -> list[Any]:
    """The chunks."""
    question = "hi" if "complete" in way else [ChatMessage(content="hi")]
    answer = getattr(llm, way)(question)
    return [chunk async for chunk in await answer] if way.startswith("a") else list(answer)


def text(chunks: list[Any]) -> str:
    return "".join(chunk.delta or "" for chunk in chunks)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("reason", "finish"), [("end_turn", "stop"), ("max_tokens", "length"), ("stop_sequence", "stop")]
)
async def test_a_whole_stream_tells_why_it_ended(server: BedrockServer, way: str, reason: str, finish: str) -> None:
    llm = routed(server, *said("a ", "b"), *ended(reason))
    finishes: list[Any] = []
    llm.router.on_outcome(lambda _, outcome: finishes.append(outcome.finish))
    assert text(await asked(llm, way)) == "a b"
    assert (finishes, server.asked) == ([finish], [FIRST])


@pytest.mark.parametrize("way", WAYS)
async def test_a_clean_early_end_is_told_from_the_first_call_on(server: BedrockServer, way: str) -> None:
    with pytest.raises(StreamInterrupted) as caught:
        await asked(routed(server, *said("a ", "b")), way)
    assert (caught.value.partial, server.asked) == ("a b", [FIRST])


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_that_ends_after_its_reason_is_whole(server: BedrockServer, way: str, breaks: bool) -> None:
    llm = routed(server, *said("a ", "b"), *ended("max_tokens")[:1])
    server.breaks = breaks
    finishes: list[Any] = []
    llm.router.on_outcome(lambda _, outcome: finishes.append(outcome.finish))
    assert text(await asked(llm, way)) == "a b"
    assert (finishes, server.asked) == (["length"], [FIRST])


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_that_breaks_before_its_reason_is_cut(server: BedrockServer, way: str) -> None:
    server.breaks = True
    with pytest.raises(StreamInterrupted) as caught:
        await asked(routed(server, *said("a ", "b")), way)
    assert caught.value.partial == "a b"


def test_a_call_before_a_break_after_the_reason_is_whole(server: BedrockServer) -> None:
    server.breaks = True
    llm = routed(server, *calls('{"a": 2, "b": 3}'), *ended("tool_use")[:1])
    *_, last = llm.stream_chat_with_tools([FunctionTool.from_defaults(multiply)], user_msg="2 times 3?")
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(last)] == [{"a": 2, "b": 3}]


def test_counts_without_tokens_do_not_hide_the_reason(server: BedrockServer) -> None:
    llm = routed(server, *said("a ", "b"), ended("end_turn")[0], ("metadata", {"metrics": {"latencyMs": 5}}))
    assert text([*llm.stream_chat([ChatMessage(content="hi")])]) == "a b"


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_that_ends_before_its_text_is_replaced(server: BedrockServer, way: str) -> None:
    assert text(await asked(routed(server), way)) == "from the other"
    assert server.asked == [FIRST, SECOND]


@pytest.mark.parametrize("way", WAYS[:2])
async def test_what_a_guardrail_stopped_goes_on_elsewhere_if_that_is_wanted(server: BedrockServer, way: str) -> None:
    llm = routed(server, *ended("guardrail_intervened"), on_content_filter="fallback")
    assert text(await asked(llm, way)) == "from the other"


def test_a_tool_is_called(server: BedrockServer) -> None:
    llm = routed(server, *calls('{"a": 2, "b": 3}'), *ended("tool_use"))
    *_, last = llm.stream_chat_with_tools([FunctionTool.from_defaults(multiply)], user_msg="2 times 3?")
    (call,) = llm.get_tool_calls_from_response(last)
    assert (call.tool_name, call.tool_kwargs) == ("multiply", {"a": 2, "b": 3})


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("reason", ["max_tokens", "tool_use", None])
@pytest.mark.parametrize("arguments", ['{"a": 2, "b"', '{"a": 2, "b": 3'])
async def test_a_call_that_is_cut_is_told_though_it_is_shown_repaired(
    server: BedrockServer, arguments: str, reason: str | None, later: bool
) -> None:
    """Also without a reason, of a client that the router can't read through."""
    llm = routed(server, *calls(arguments), *(ended(reason) if reason else ended("")[1:]))
    tools = [FunctionTool.from_defaults(multiply)]

    async def read() -> list[Any]:
        if later:
            return [chunk async for chunk in await llm.astream_chat_with_tools(tools, user_msg="2 times 3?")]
        return list(llm.stream_chat_with_tools(tools, user_msg="2 times 3?"))

    with pytest.raises(StreamInterrupted, match="malformed tool call"):
        await read()
    assert [call.fault for call in llm.router.ledger.calls()] == ["malformed_tool_call"]


@pytest.mark.parametrize(("arguments", "expected"), [('{"a": 2, "b": 3}', {"a": 2, "b": 3}), ("", {})])
def test_a_call_that_is_whole_at_the_limit_stays(server: BedrockServer, arguments: str, expected: Any) -> None:
    llm = routed(server, *calls(arguments), *ended("max_tokens"))
    *_, last = llm.stream_chat_with_tools([FunctionTool.from_defaults(multiply)], user_msg="2 times 3?")
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(last)] == [expected]


def test_a_client_of_the_users_own_streams_as_before(server: BedrockServer) -> None:
    """It is not changed: the router reads it through a client of its own."""
    server.scripts[FIRST] = [*said("a"), *ended("max_tokens")]
    llm = bedrock(server, FIRST)
    RouterLLM(models=[llm])
    *_, last = llm.stream_chat([ChatMessage(content="hi")])
    assert "stopReason" not in last.raw["metadata"]


@pytest.mark.parametrize("cut", [False, True])
def test_without_the_reason_the_counts_are_an_end(server: BedrockServer, cut: bool) -> None:
    """As of a client that the router cannot read through: asyncio's are made for each call."""
    llm = routed(server, *said("a"), *([] if cut else ended("end_turn")[1:]))
    if cut:
        with pytest.raises(StreamInterrupted):
            list(llm.stream_chat([ChatMessage(content="hi")]))
        return
    finishes: list[Any] = []
    llm.router.on_outcome(lambda _, outcome: finishes.append(outcome.finish))
    assert text(list(llm.stream_chat([ChatMessage(content="hi")]))) == "a"
    assert finishes == ["other"]


def test_a_stream_that_is_left_is_closed(server: BedrockServer) -> None:
    """Its connection goes back, which pytest would tell of otherwise."""
    stream = routed(server, *said("a", "b"), *ended("end_turn")).stream_chat([ChatMessage(content="hi")])
    assert next(stream).delta == "a"
    stream.close()


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_stream_reads_from_the_cache_is_booked(server: BedrockServer, way: str) -> None:
    """The integration's own counts stand beside it, without the cache's."""
    counts = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 30, "cacheReadInputTokens": 20}
    ending: list[Event] = [("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": counts})]
    llm = routed(server, *said("a"), *ending)
    assert text(await asked(llm, way)) == "a"
    (call,) = llm.router.ledger.calls()
    assert (call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens) == (27, 20, 3)
