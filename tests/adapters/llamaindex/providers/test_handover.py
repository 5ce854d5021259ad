"""A tool loop that one provider began and another goes on with: what the other is sent, in its own format."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.llamaindex.provider_llms import NAMES, Make
from adapters.provider_server import ProviderServer
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import FunctionTool

from llamaindex_router import RouterLLM, routing
from llamaindex_router.messages.handover import Origins, common

pytestmark = [
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),  # the SDK's
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # google-genai's
]
ASK = ChatMessage(content="6 times 7?")
EPHEMERAL = CachePoint(cache_control=CacheControl(type="ephemeral"))
Pair = tuple[str, str, Any]
"""The call's id, the id that its result goes by, and the arguments as sent."""


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)


def openai_pairs(body: Any) -> Iterator[Pair]:
    results = [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]
    calls = [call for m in body["messages"] for call in m.get("tool_calls") or ()]
    for call, result in zip(calls, results, strict=True):
        yield call["id"], result, json.loads(call["function"]["arguments"])


def anthropic_pairs(body: Any) -> Iterator[Pair]:
    parts = [part for m in body["messages"] for part in m["content"] if not isinstance(part, str)]
    calls, results = ([p for p in parts if p["type"] == kind] for kind in ("tool_use", "tool_result"))
    for call, result in zip(calls, results, strict=True):
        yield call["id"], result["tool_use_id"], call["input"]


def google_pairs(body: Any) -> Iterator[Pair]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    calls, results = ([p[kind] for p in parts if kind in p] for kind in ("functionCall", "functionResponse"))
    for call, result in zip(calls, results, strict=True):
        assert call["name"] == result["name"] == "multiply"
        yield call.get("id", "unnamed"), result.get("id", "unnamed"), call["args"]


def ollama_pairs(body: Any) -> Iterator[Pair]:
    calls = [call for m in body["messages"] for call in m.get("tool_calls") or ()]
    results = [m for m in body["messages"] if m["role"] == "tool"]
    for call, _ in zip(calls, results, strict=True):
        assert call["function"]["name"] == "multiply"
        yield "unnamed", "unnamed", call["function"]["arguments"]


PAIRS: dict[str, Callable[[Any], Iterator[Pair]]] = {
    "openai": openai_pairs, "anthropic": anthropic_pairs, "google": google_pairs, "ollama": ollama_pairs,
}  # fmt: skip


def result(id: str, text: str = "9") -> ChatMessage:
    return ChatMessage(role=MessageRole.TOOL, content=text, additional_kwargs={"tool_call_id": id})


@pytest.fixture
def sent(providers: ProviderServer, server: ChatServer) -> Callable[[str], Any]:
    """The body of the last request to a provider."""

    def sent(provider: str) -> Any:
        bodies = server.of(NAMES[provider]) or [body for name, body in providers.seen if name == NAMES[provider]]
        return bodies[-1]

    return sent


@pytest.fixture
def two(make: Make) -> Callable[[str, str], RouterLLM]:
    def two(first: str, second: str) -> RouterLLM:
        models = [(make(name), {"id": name}) for name in (first, second)]
        return RouterLLM(models=models, policy="single")

    return two


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(NAMES, 2)))
def test_calls_and_results_are_a_pair_for_the_next(
    two: Callable[..., RouterLLM], server: ChatServer, sent: Callable[[str], Any], first: str, second: str,
    streamed: bool,
) -> None:  # fmt: skip
    if first == "openai":
        server.script("ok", Say(tools=(("multiply", {"a": 3, "b": 3}),)), Say("a b c"))
    llm = two(first, second)
    called = list(llm.stream_chat_with_tools([TOOL], ASK))[-1] if streamed else llm.chat_with_tools([TOOL], ASK)
    (call,) = llm.get_tool_calls_from_response(called)
    history = [ASK, called.message, result(call.tool_id)]
    with routing(deny=[first]):
        answer = llm.chat_with_tools([TOOL], chat_history=history)
    assert answer.message.content == "a b c"
    assert answer.additional_kwargs["router"]["model"] == second
    ((id, answered, arguments),) = PAIRS[second](sent(second))
    assert id == answered != ""
    assert arguments == {"a": 3, "b": 3}


@pytest.mark.parametrize("provider", list(NAMES))
def test_loops_stay_with_the_model_that_made_the_call(
    two: Callable[..., RouterLLM], server: ChatServer, provider: str
) -> None:
    server.script("ok", Say(tools=(("multiply", {"a": 3, "b": 3}),)), Say("a b c"))
    other = next(name for name in NAMES if name != provider)
    llm = two(other, provider)
    with routing(deny=[other]):
        called = llm.chat_with_tools([TOOL], ASK)
    (call,) = llm.get_tool_calls_from_response(called)
    answer = llm.chat_with_tools([TOOL], chat_history=[ASK, called.message, result(call.tool_id)])
    assert answer.additional_kwargs["router"]["model"] == provider
    fresh = llm.chat([ASK])
    assert fresh.additional_kwargs["router"]["model"] == other


def two_calls() -> list[ChatMessage]:
    """As Ollama leaves them: twice the same tool, no ids, results by the tool's name."""
    blocks = [ToolCallBlock(tool_name="multiply", tool_kwargs={"a": n, "b": n}) for n in (2, 3)]
    results = [result("multiply", "4"), result("multiply", "9")]
    return [ASK, ChatMessage(role="assistant", blocks=[TextBlock(text=""), *blocks]), *results]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_parallel_calls_without_ids_get_different_ones(make: Make, sent: Callable[[str], Any], provider: str) -> None:
    llm = RouterLLM(models=[make(provider)])
    history = two_calls()
    llm.chat_with_tools([TOOL], chat_history=history)
    pairs = list(PAIRS[provider](sent(provider)))
    assert [id for id, _, _ in pairs] == [answered for _, answered, _ in pairs]
    assert len({id for id, _, _ in pairs}) == 2
    assert [m.additional_kwargs.get("tool_call_id") for m in history[2:]] == ["multiply"] * 2  # the caller's own


@pytest.mark.parametrize("provider", ["anthropic", "google", "ollama"])
def test_arguments_that_are_text_are_read_also_in_a_history_of_unknown_origin(
    make: Make, sent: Callable[[str], Any], provider: str
) -> None:
    call = ToolCallBlock(tool_call_id="call_1", tool_name="multiply", tool_kwargs='{"a": 3, "b": 3}')
    history = [ASK, ChatMessage(role="assistant", blocks=[call]), result("call_1")]
    RouterLLM(models=[make(provider)]).chat_with_tools([TOOL], chat_history=history)
    ((_, _, arguments),) = PAIRS[provider](sent(provider))
    assert arguments == {"a": 3, "b": 3}


@pytest.mark.parametrize("provider", list(NAMES))
def test_cache_points_go_only_where_they_mean_something(make: Make, sent: Callable[[str], Any], provider: str) -> None:
    llm = RouterLLM(models=[make(provider)])
    llm.chat([ChatMessage(blocks=[TextBlock(text="long text"), EPHEMERAL])])
    assert ("cache_control" in json.dumps(sent(provider))) == (provider == "anthropic")


@pytest.mark.parametrize("provider", ["anthropic", "google", "ollama"])
def test_thinking_stays_with_its_model(
    make: Make, built_in: Callable[..., Any], server: ChatServer, sent: Callable[[str], Any], provider: str
) -> None:
    server.script("thinker", Say("forty two", reasoning="my own thoughts"))
    llm = RouterLLM(models=[(built_in("thinker"), {"id": "thinker"}), (make(provider), {"id": "other"})])
    with routing(pin="thinker"):
        first = llm.chat([ASK])
    assert first.message.blocks[0].block_type == "thinking"
    with routing(pin="other"):
        llm.chat([ASK, first.message, ChatMessage(content="and 7 times 7?")])
    body = json.dumps(sent(provider))
    assert "forty two" in body
    assert "my own thoughts" not in body


def test_a_turn_goes_back_to_its_own_model_as_it_was() -> None:
    signed = ThinkingBlock(content="hm", additional_information={"signature": "x"})
    call = ToolCallBlock(tool_call_id="toolu_1", tool_name="f", tool_kwargs='{"a":1}')
    turn = ChatMessage(role="assistant", blocks=[signed, call], additional_kwargs={"thought_signatures": [b"s"]})
    origins = Origins()
    origins.note("claude", turn)
    assert list(origins.rewrite("claude", "anthropic")([turn])) == [turn]
    (moved,) = origins.rewrite("gpt", "openai")([turn])
    assert moved == common(turn)
    assert [b.block_type for b in moved.blocks] == ["tool_call"]
    assert moved.additional_kwargs == {}


@pytest.mark.parametrize(
    "calls",
    [
        [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
        [{"id": "1", "name": "f", "args": {"a": 1}}],
        [ToolSelection(tool_id="1", tool_name="f", tool_kwargs={"a": 1})],
    ],
)
def test_calls_kept_in_kwargs_become_blocks_for_another_model(calls: list[Any]) -> None:
    turn = ChatMessage(role="assistant", content="so", additional_kwargs={"tool_calls": calls, "refusal": None})
    origins = Origins()
    origins.note("first", turn)
    (moved,) = origins.rewrite("second", "anthropic")([turn])
    call = moved.blocks[-1]
    assert isinstance(call, ToolCallBlock)
    assert (call.tool_call_id, call.tool_name, call.tool_kwargs) == ("1", "f", {"a": 1})
    assert moved.additional_kwargs == {}


def test_the_memory_is_bounded() -> None:
    origins = Origins(size=2)
    turns = [
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id=str(i), tool_name="f", tool_kwargs={})])
        for i in range(3)
    ]
    for turn in turns:
        origins.note("a", turn)
    assert len(origins._of) == 2
