"""Two providers' formats behind one router: fallback, tokens and tool loops across them; one Router, two frameworks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from adapters.llamaindex.provider_llms import need_anthropic
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic

from capability_router.router import Router
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDK's, about the model's age
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # google-genai leaves sockets to the collector
]
HI = [ChatMessage(content="hi")]
CLAUDE = "claude-sonnet-4-0"


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)


@pytest.fixture
def llm(like: Callable[..., Any], server: ChatServer) -> RouterLLM:
    need_anthropic()
    claude = Anthropic(model=CLAUDE, api_key="k", base_url=server.url.removesuffix("/v1"))
    price = {"input_mtok": 1.0, "output_mtok": 2.0, "cache_read_mtok": 0.1}
    return RouterLLM(models=[(like("a"), {"id": "a"}), (claude, {"id": "claude", "price": price})], policy="single")


def test_tokens_and_cost_are_the_providers_own(llm: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(503))
    cost = (60 * 1.0 + 40 * 0.1 + 20 * 2.0) * 1e-6
    whole = llm.chat(HI).additional_kwargs["router"]
    streamed = list(llm.stream_chat(HI))
    assert whole["model"] == streamed[-1].additional_kwargs["router"]["model"] == "claude"
    assert "".join(c.delta or "" for c in streamed) == "hello world"
    assert whole["cost_usd"] == pytest.approx(cost)
    assert streamed[-1].additional_kwargs["router"]["cost_usd"] == pytest.approx(cost)


async def test_async_too(llm: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(503))
    assert (await llm.achat(HI)).additional_kwargs["router"]["model"] == "claude"
    chunks = [c async for c in await llm.astream_chat(HI)]
    assert chunks[-1].message.content == "hello world"
    await llm._core.children.get("claude")._aclient.close()


def test_a_tool_loop_that_must_move_is_understood(llm: RouterLLM, server: ChatServer) -> None:
    server.script("a", Say(tools=(("multiply", {"a": 6, "b": 7}),)), Refuse(503))
    server.script(CLAUDE, Say("it is 42"))
    first = list(llm.stream_chat_with_tools([TOOL], "6 times 7?"))[-1].message
    call = next(b for b in first.blocks if isinstance(b, ToolCallBlock))
    assert isinstance(call.tool_kwargs, str)  # as OpenAI's integration leaves it, which Anthropic's API refuses
    result = ChatMessage(role=MessageRole.TOOL, content="42", additional_kwargs={"tool_call_id": call.tool_call_id})
    answer = llm.chat_with_tools([TOOL], chat_history=[ChatMessage(content="6 times 7?"), first, result])
    assert answer.message.content == "it is 42"
    sent = server.of(CLAUDE)[0]["messages"]
    uses = [part for m in sent if isinstance(m["content"], list) for part in m["content"] if part["type"] == "tool_use"]
    assert [use["input"] for use in uses] == [{"a": 6, "b": 7}]


def test_one_router_serves_both_frameworks(server: ChatServer) -> None:
    price = {"input_mtok": 1, "output_mtok": 2}
    endpoints = [{"id": m, "price": price, "endpoint": {"base_url": server.url, "model": m}} for m in ("a", "b")]
    router = Router.from_config({"policy": "single", "models": endpoints})
    server.script("a", Refuse(429, headers={"retry-after": "30"}))
    chained = ChatRouter(router=router).invoke("hi").response_metadata["router"]
    queried = RouterLLM(router=router).complete("hi").additional_kwargs["router"]
    assert (chained["model"], chained["attempts"]) == ("b", 2)
    assert (queried["model"], queried["attempts"]) == ("b", 1)  # the one has learned from the other's 429
    assert {call.model for call in router.ledger.calls()} == {"a", "b"}
