"""LLMs without async calls of their own: those that hang block no other call, and nothing else differs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from pydantic import PrivateAttr

from capability_router import routing
from llamaindex_router import AllCandidatesFailed, RouterLLM
from llamaindex_router.attempts.in_threads import in_threads

CALLER: ContextVar[str] = ContextVar("caller", default="nobody")
HISTORY = [ChatMessage(role="user", content="hi")]


class Blocking(CustomLLM):
    """LlamaIndex's way to add a model: only blocking methods."""

    says: str = "well"
    hangs: bool = False
    fails: bool = False
    _gate: Any = PrivateAttr(default_factory=threading.Event)
    _seen: list[tuple[str, bool]] = PrivateAttr(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=10_000, model_name="blocking")

    def _made(self) -> str:
        self._seen.append((CALLER.get(), threading.current_thread() is threading.main_thread()))
        if self.hangs:
            assert self._gate.wait(20)
        if self.fails:
            raise ConnectionError("down")
        return self.says

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self._made())

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        def letters() -> CompletionResponseGen:
            token = CALLER.set("the stream")
            for at, letter in enumerate(self._made(), start=1):
                yield CompletionResponse(text=self.says[:at], delta=letter)
            CALLER.reset(token)  # fails in another context

        return letters()


def routed(*models: CustomLLM, **settings: Any) -> RouterLLM:
    pairs = [(model, {"id": id}) for model, id in zip(models, "ab", strict=False)]
    return RouterLLM(models=pairs, policy="single", **settings)


async def achat(llm: Any) -> str:
    return str((await llm.achat(HISTORY)).message.content)


async def acomplete(llm: Any) -> str:
    return str((await llm.acomplete("hi")).text)


async def astream_chat(llm: Any) -> str:
    return "".join([chunk.delta or "" async for chunk in await llm.astream_chat(HISTORY)])


async def astream_complete(llm: Any) -> str:
    return "".join([chunk.delta or "" async for chunk in await llm.astream_complete("hi")])


WAYS = [achat, acomplete, astream_chat, astream_complete]
Way = Callable[[Any], Awaitable[str]]


@pytest.mark.parametrize("way", WAYS)
async def test_calls_that_hang_block_no_other_call(way: Way) -> None:
    stuck = Blocking(hangs=True)
    llm = routed(stuck, Blocking())

    async def of(model: str) -> str:
        with routing(pin=model):
            return await way(llm)

    hanging = [asyncio.create_task(of("a")) for _ in range(3)]
    while len(stuck._seen) < 3:  # noqa: ASYNC110 - it grows in threads
        await asyncio.sleep(0.01)
    assert await of("b") == "well"
    stuck._gate.set()
    assert await asyncio.gather(*hanging) == ["well"] * 3


@pytest.mark.parametrize("way", WAYS)
async def test_a_time_limit_ends_an_awaited_call_and_another_model_answers(way: Way) -> None:
    stuck = Blocking(hangs=True)
    llm = routed(stuck, Blocking(says="instead"), timeouts={"total": 0.1})
    assert await way(llm) == "instead"
    assert [call.fault for call in llm.router.ledger.calls()] == ["timeout", None]
    stuck._gate.set()


@pytest.mark.parametrize("way", WAYS)
async def test_the_call_has_its_callers_context_and_its_own_errors(way: Way) -> None:
    model = Blocking()
    CALLER.set("somebody")
    assert await way(routed(model)) == "well"
    assert {in_loop for _, in_loop in model._seen} == {False}
    assert model._seen[0][0] == ("the stream" if way in (astream_chat, astream_complete) else "somebody")
    with pytest.raises(AllCandidatesFailed) as caught:
        await way(routed(Blocking(fails=True), retry={"attempts": 1}))
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("way", WAYS)
async def test_its_handlers_hear_the_same_events_as_without_a_router(way: Way) -> None:
    def of(debug: LlamaDebugHandler) -> list[str]:
        return [event.event_type.value for event in debug.get_events()]

    alone, inside = LlamaDebugHandler(print_trace_on_end=False), LlamaDebugHandler(print_trace_on_end=False)
    assert await way(Blocking(callback_manager=CallbackManager([alone]))) == "well"
    assert await way(in_threads(Blocking(callback_manager=CallbackManager([inside])))) == "well"
    assert of(inside) == of(alone) != []


class Stream:
    """An SDK's blocking stream, by its name."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return iter("well")

    def close(self) -> None:
        self.closed = True


class OverAnSDK(Blocking):
    _stream: Any = PrivateAttr(default_factory=Stream)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        def letters(stream: Stream) -> CompletionResponseGen:
            for letter in stream:
                yield CompletionResponse(text=letter, delta=letter)

        return letters(self._stream)


@pytest.mark.parametrize("way", ["astream_chat", "astream_complete"])
async def test_a_stream_that_is_not_read_to_its_end_is_closed(way: str) -> None:
    llm = OverAnSDK()
    given = HISTORY if way == "astream_chat" else "hi"
    chunks = await getattr(routed(llm), way)(given)
    assert (await anext(chunks)).delta == "w"
    await chunks.aclose()
    assert llm._stream.closed


async def test_an_llm_with_async_calls_of_its_own_is_called_as_it_is() -> None:
    class Native(Blocking):
        @llm_completion_callback()
        async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            return CompletionResponse(text="awaited")

    native = Native()
    assert await acomplete(routed(native)) == "awaited"
    assert native._seen == []
    threaded = in_threads(native)
    assert (type(threaded).__name__, isinstance(threaded, Native)) == ("Native", True)
    router = routed(native)
    assert in_threads(router) is router
