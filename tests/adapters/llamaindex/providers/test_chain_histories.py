"""What a LangChain chat model is sent of a conversation: calls with broken arguments, and what tools returned."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ToolCallBlock

from llamaindex_router import EndpointLLM, RouterLLM
from llamaindex_router.messages.chain_messages import chain_messages

BROKEN = {
    '{"a": 1, "b": "tw': {"a": 1, "b": None},
    '{"a": 1}}': {},
    "{'a': 1}": {},
    "null": {},
    "[1]": {},
    '{"a": "one\ntwo"}': {"a": "one\ntwo"},
}
"""Arguments as models write them, and as LlamaIndex's agents read them."""


def told(arguments: Any) -> list[ChatMessage]:
    """A conversation in which the model made this call and is told what came of it."""
    call = ToolCallBlock(tool_call_id="call_1", tool_name="add", tool_kwargs=arguments)
    return [
        ChatMessage(role=MessageRole.USER, content="add them"),
        ChatMessage(role=MessageRole.ASSISTANT, blocks=[call]),
        ChatMessage(role=MessageRole.TOOL, content="b is missing", additional_kwargs={"tool_call_id": "call_1"}),
    ]


@pytest.mark.parametrize(("arguments", "read"), BROKEN.items(), ids=map(repr, BROKEN))
def test_a_broken_call_is_sent_as_the_agent_reads_it(arguments: str, read: dict[str, Any]) -> None:
    _, call, result = chain_messages(told(arguments))
    assert [made["args"] for made in call.tool_calls] == [read]
    assert (result.content, result.tool_call_id) == ("b is missing", "call_1")


def test_whole_arguments_stay_as_they_are() -> None:
    for arguments in ('{"a": 1, "b": [{"c": null}]}', {"a": 1, "b": [{"c": None}]}):
        assert chain_messages(told(arguments))[1].tool_calls[0]["args"] == {"a": 1, "b": [{"c": None}]}


async def test_a_conversation_goes_on_after_a_broken_call(server: ChatServer) -> None:
    llm = RouterLLM(models=[ChatOpenAI(model="a", base_url=server.url, api_key="k")])  # type: ignore[arg-type]  # a plain key
    for way in (llm.chat, llm.achat):
        answer: Any = way(told("{'a': 1}"))
        reply = await answer if way == llm.achat else answer
        assert reply.message.content == "hello world"
    sent = [request["messages"][1]["tool_calls"][0]["function"]["arguments"] for request in server.requests]
    assert sent == ["{}"] * 2


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1hZ2U="}}


def result(id: str, *blocks: Any) -> ChatMessage:
    return ChatMessage(role=MessageRole.TOOL, blocks=list(blocks), additional_kwargs={"tool_call_id": id})


def with_images() -> list[ChatMessage]:
    """A conversation in which two tools return images at once, and a third one text."""
    calls = [ToolCallBlock(tool_call_id=id, tool_name="look", tool_kwargs={}) for id in ("one", "two", "three")]
    image = ImageBlock(image=b"image", image_mimetype="image/png")
    return [
        ChatMessage(role=MessageRole.USER, content="look"),
        ChatMessage(role=MessageRole.ASSISTANT, blocks=calls),
        result("one", TextBlock(text="a door"), image, TextBlock(text="ajar")),
        result("two", image),
        result("three", TextBlock(text="a wall")),
        ChatMessage(role=MessageRole.ASSISTANT, content="I see"),
    ]


@pytest.mark.parametrize("kind", [EndpointLLM, ChatOpenAI])
def test_images_that_tools_return_follow_their_results(server: ChatServer, kind: Any) -> None:
    RouterLLM(models=[kind(model="a", base_url=server.url, api_key="k")]).chat(with_images())
    _, _, *results, images, answer = server.requests[0]["messages"]
    assert [(told["role"], told["tool_call_id"], told["content"]) for told in results] == [
        ("tool", "one", "a door\najar"), ("tool", "two", ""), ("tool", "three", "a wall"),
    ]  # fmt: skip
    assert (images["role"], [_without_detail(part) for part in images["content"]]) == ("user", [IMAGE, IMAGE])
    assert answer["role"] == "assistant"


def _without_detail(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "image_url": {"url": part["image_url"]["url"]}}
