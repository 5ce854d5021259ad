"""A model that is asked while its caller handles another call's error: that error is no part of what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from llama_index.core.llms import ChatMessage, MockLLM

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM


class Refused(Exception):
    """Another call's."""

    status_code = 503


class Odd(Exception):
    """Without a status: what it means shows nowhere but in its chain."""


class Model(BaseChatModel):
    """Fails so at its first call."""

    own: bool = False
    failed: bool = False

    @property
    def _llm_type(self) -> str:
        return "odd"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        fail(self)
        told = AIMessage("good", response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=told)])


class LLM(MockLLM):
    """Likewise."""

    own: bool = False
    failed: bool = False

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        fail(self)
        return super().chat(messages, **kwargs)

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        fail(self)
        return super().stream_chat(messages, **kwargs)


def fail(model: Any) -> None:
    """With an error of its own, raised while one of its own is handled or none is."""
    if model.failed:
        return
    object.__setattr__(model, "failed", True)
    if not model.own:
        raise Odd
    try:
        raise Refused
    except Refused:
        raise Odd  # noqa: B904 - as SDKs do that say nothing of what they handle


def _asked(llm: Any) -> None:
    llm.invoke("hi") if isinstance(llm, ChatRouter) else llm.chat([ChatMessage("hi")])


def _read(llm: Any) -> None:
    list(llm.stream("hi") if isinstance(llm, ChatRouter) else llm.stream_chat([ChatMessage("hi")]))


async def _aasked(llm: Any) -> None:
    await (llm.ainvoke("hi") if isinstance(llm, ChatRouter) else llm.achat([ChatMessage("hi")]))


async def _aread(llm: Any) -> None:
    stream = llm.astream("hi") if isinstance(llm, ChatRouter) else await llm.astream_chat([ChatMessage("hi")])
    [chunk async for chunk in stream]


async def _while_handling(ask: Callable[[Any], Any], llm: Any) -> None:
    try:
        raise Refused
    except Refused:
        await ask(llm)


def _router(kind: Any, own: bool) -> Any:
    first, second = kind(), kind()
    first.own, second.failed = own, True
    models = [(first, {"id": "a"}), (second, {"id": "b"})]
    return (ChatRouter if kind is Model else RouterLLM)(models, policy="single")


@pytest.mark.parametrize(("own", "fault"), [(False, "unknown"), (True, "overloaded")])
@pytest.mark.parametrize("kind", [Model, LLM])
@pytest.mark.parametrize("ask", [_asked, _read])
def test_a_call(kind: Any, ask: Callable[[Any], Any], own: bool, fault: str) -> None:
    llm = _router(kind, own)
    try:
        raise Refused
    except Refused:
        ask(llm)
    assert [call.fault for call in llm.router.ledger.calls()] == [fault, None]


@pytest.mark.parametrize("kind", [Model, LLM])
@pytest.mark.parametrize("ask", [_aasked, _aread])
def test_a_call_that_is_awaited(kind: Any, ask: Callable[[Any], Any]) -> None:
    """What was handled in another thread Python itself forgets, where it raises the error anew."""
    llm = _router(kind, own=False)
    asyncio.run(_while_handling(ask, llm))
    assert [call.fault for call in llm.router.ledger.calls()] == ["unknown", None]
