"""The tool family, tool loops and agents."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Refuse, Say
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    ChatResponse,
    MessageRole,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms import MockLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool

from llamaindex_router import NoEligibleModel, RouterLLM

# LlamaIndex's agents use what pydantic and its own workflows call deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def memory() -> ChatMemoryBuffer:
    """The default one leaves its database open."""
    return ChatMemoryBuffer.from_defaults(token_limit=3_000)


TOOL = FunctionTool.from_defaults(multiply)
ASK = Say(tools=(("multiply", {"a": 6, "b": 7}),))


def answering(body: dict[str, Any]) -> Say:
    """Calls the tool first, then answers with what it gave."""
    last = body["messages"][-1]
    return Say(f"it is {last['content']}") if last["role"] == "tool" else ASK


async def asked(llm: RouterLLM, way: str) -> Any:
    if way == "chat_with_tools":
        return llm.chat_with_tools([TOOL], "6 times 7?")
    if way == "achat_with_tools":
        return await llm.achat_with_tools([TOOL], "6 times 7?")
    if way == "stream_chat_with_tools":
        return list(llm.stream_chat_with_tools([TOOL], "6 times 7?"))[-1]
    return [c async for c in await llm.astream_chat_with_tools([TOOL], "6 times 7?")][-1]


WAYS = ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [ASK, Refuse(429)], ids=["well", "first at its limit"])
async def test_tool_calls_come_through(pair: RouterLLM, server: ChatServer, way: str, first: Any) -> None:
    server.script("a", first)
    server.script("b", ASK)
    response = await asked(pair, way)
    (selection,) = pair.get_tool_calls_from_response(response)
    assert (selection.tool_name, selection.tool_kwargs) == ("multiply", {"a": 6, "b": 7})
    assert response.additional_kwargs["router"]["model"] == ("a" if first is ASK else "b")
    assert server.requests[-1]["tools"][0]["function"]["name"] == "multiply"


async def test_models_without_tools_are_not_asked(child: Callable[..., Any], server: ChatServer) -> None:
    server.script("b", ASK)
    models = [(child("a"), {"id": "a", "tool_calling": False}), (child("b"), {"id": "b"})]
    llm = RouterLLM(models=models, policy="single")
    response = llm.chat_with_tools([TOOL], "6 times 7?")
    assert response.additional_kwargs["router"]["model"] == "b"
    assert not server.of("a")


def test_no_model_with_tools_is_an_error_and_no_silent_text() -> None:
    llm = RouterLLM(models=[(MockLLM(), {"id": "mock"})])
    assert llm.metadata.is_function_calling_model is False
    with pytest.raises(NoEligibleModel, match="tool_calling"):
        llm.chat_with_tools([TOOL], "6 times 7?")


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("first", ["well", "429", "cut"])
async def test_function_agent(pair: RouterLLM, server: ChatServer, streaming: bool, first: str) -> None:
    server.script("a", {"well": answering, "429": Refuse(429), "cut": Cut(0)}[first])
    server.script("b", answering)
    agent = FunctionAgent(tools=[TOOL], llm=pair, streaming=streaming)
    answer = await agent.run("6 times 7?", memory=memory())
    assert str(answer) == "it is 42"
    assert [c.tool_name for c in answer.tool_calls] == ["multiply"]


async def test_an_agents_stream_has_no_text_twice(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", answering)
    run = FunctionAgent(tools=[TOOL], llm=pair).run("6 times 7?", memory=memory())
    deltas = [e.delta async for e in run.stream_events() if isinstance(e, AgentStream)]
    assert "".join(deltas) == "it is 42"


async def test_tool_loops_stay_on_the_model_that_made_the_call(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(429), answering)
    server.script("b", answering)
    answer = await FunctionAgent(tools=[TOOL], llm=pair).run("6 times 7?", memory=memory())
    assert str(answer) == "it is 42"
    assert [body["model"] for body in server.requests] == ["a", "b", "b"]


async def test_react_agent(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(429))
    server.script("b", Say("Thought: I can answer.\nAnswer: 42"))
    assert str(await ReActAgent(tools=[TOOL], llm=pair).run("6 times 7?", memory=memory())) == "42"


async def test_agent_workflow_hands_over(pair: RouterLLM, server: ChatServer) -> None:
    def steps(body: dict[str, Any]) -> Say:
        names = [tool["function"]["name"] for tool in body.get("tools", [])]
        handed = any(m["role"] == "tool" for m in body["messages"])
        if "handoff" in names and not handed:
            return Say(tools=(("handoff", {"to_agent": "sums", "reason": "it multiplies"}),))
        return Say("it is 42") if "multiply" not in names or "42" in json.dumps(body["messages"]) else ASK

    server.script("a", steps)
    front = FunctionAgent(name="front", description="greets", llm=pair, can_handoff_to=["sums"], tools=[])
    sums = FunctionAgent(name="sums", description="multiplies", llm=pair, tools=[TOOL], can_handoff_to=[])
    answer = await AgentWorkflow(agents=[front, sums], root_agent="front").run("6 times 7?", memory=memory())
    assert str(answer) == "it is 42"


def test_predict_and_call(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", ASK)
    assert str(pair.predict_and_call([TOOL], user_msg="6 times 7?")) == "42"


@pytest.mark.parametrize(
    "message",
    [
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name="f", tool_kwargs='{"a": 1}')]),
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name="f", tool_kwargs={"a": 1})]),
        ChatMessage(
            role="assistant",
            additional_kwargs={"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}]},
        ),
        ChatMessage(
            role="assistant",
            additional_kwargs={"tool_calls": [ToolSelection(tool_id="1", tool_name="f", tool_kwargs={"a": 1})]},
        ),
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name="f", tool_kwargs='{"a": 1')]),
    ],
)
def test_calls_are_read_in_every_form(pair: RouterLLM, message: ChatMessage) -> None:
    (selection,) = pair.get_tool_calls_from_response(ChatResponse(message=message))
    assert (selection.tool_id, selection.tool_name, selection.tool_kwargs) == ("1", "f", {"a": 1})


def test_no_call_is_an_error_only_if_asked(pair: RouterLLM) -> None:
    response = ChatResponse(message=ChatMessage(role="assistant", content="no"))
    assert pair.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="tool call"):
        pair.get_tool_calls_from_response(response)


def test_a_history_is_put_in_the_common_form_for_another_model(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", ASK)
    first = list(pair.stream_chat_with_tools([TOOL], "6 times 7?"))[-1].message
    call = next(b for b in first.blocks if isinstance(b, ToolCallBlock))
    first.blocks = [
        ThinkingBlock(content="signed", additional_information={"signature": "x"}),
        CachePoint(cache_control=CacheControl(type="ephemeral")),
        *first.blocks,
    ]
    result = ChatMessage(role=MessageRole.TOOL, content="42", additional_kwargs={"tool_call_id": call.tool_call_id})
    server.script("a", Refuse(503))
    server.script("b", Say("it is 42"))
    answer = pair.chat_with_tools([TOOL], chat_history=[ChatMessage(content="6 times 7?"), first, result])
    assert answer.message.content == "it is 42"
    sent = server.of("b")[0]["messages"]
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 6, "b": 7}
    assert len(first.blocks) > 2  # the caller's message is as it was


def test_explain_takes_plain_functions_as_tools() -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    card = {"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}, "tool_calling": True}
    assert RouterLLM(models=[card]).explain("1 + 1?", tools=[add]).needs == ("tool_calling",)
