"""A refusal that ChatEndpoint reads is a standard content block, as ChatOpenAI's are."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent, middleware
from langchain_core import exceptions
from langchain_core.messages import AIMessage, content
from langchain_core.messages.block_translators import get_translator, register_translator
from loopback.chat_server import USAGE, ChatServer, completion, piece, reply, sse

from langchain_router import ChatEndpoint, ChatRouter
from langchain_router.messages.refusal_blocks import show_refusals

ROLE = piece(None, role="assistant", content="", refusal=None)
STREAMED = sse(ROLE, piece(None, refusal="I must"), piece(None, refusal=" not."), piece(finish="stop"), USAGE)
WHOLE = reply(completion("", message={"role": "assistant", "content": None, "refusal": "I must not."}))
BLOCKS = [{"type": "refusal", "refusal": "I must not."}]

standard = pytest.mark.skipif(not hasattr(content, "RefusalContentBlock"), reason="this langchain-core has none")


def alone(server: ChatServer, **card: Any) -> Any:
    return ChatEndpoint(base_url=server.base_url, model="m", api_key="k", **card)


def routed(server: ChatServer, **card: Any) -> Any:
    return ChatRouter(models=[alone(server, **card)])


@standard
@pytest.mark.parametrize("card", [{}, {"provider": "acme"}, {"provider": "openai"}], ids=str)
@pytest.mark.parametrize("make", [alone, routed])
def test_a_refusal_is_a_block_beside_no_text(make: Any, card: dict[str, Any]) -> None:
    with ChatServer(WHOLE, STREAMED, STREAMED) as server:
        llm = make(server, **card)
        message = llm.invoke("hi")
        chunks = list(llm.stream("hi"))
        events = llm.stream_events("hi", version="v3")
        output = events.output
    merged = sum(chunks[1:], chunks[0])
    for said in (message, merged, output):
        assert said.content_blocks == BLOCKS
    assert (message.content, message.additional_kwargs["refusal"]) == ("", "I must not.")


@standard
@pytest.mark.parametrize("make", [alone, routed])
def test_the_middleware_that_looks_for_refusals_sees_it(make: Any) -> None:
    watch = getattr(middleware, "ModelRefusalMiddleware", None)
    if watch is None:
        pytest.skip("this langchain has no ModelRefusalMiddleware")
    with ChatServer(WHOLE) as server, pytest.raises(exceptions.ModelRefusalError, match="I must not"):
        create_agent(make(server), [], middleware=[watch()]).invoke({"messages": [("user", "hi")]})


def test_blocks_of_other_answers_are_cores_own() -> None:
    show_refusals("acme")
    for fields in ({"content": "well"}, {"content": "", "additional_kwargs": {"reasoning_content": "hm"}}):
        known, unknown = (AIMessage(**fields, response_metadata={"model_provider": p}) for p in ("acme", "nobody's"))
        assert known.content_blocks == unknown.content_blocks


def test_a_translator_of_another_package_stays() -> None:
    def blocks(message: AIMessage) -> list[Any]:
        return [{"type": "text", "text": "its own"}]

    register_translator("a-package", blocks, blocks)
    show_refusals("a-package")
    assert get_translator("a-package") == {"translate_content": blocks, "translate_content_chunk": blocks}
