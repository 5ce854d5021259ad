"""Models without calls of their own for asyncio: those that hang keep nobody else waiting, and nothing else differs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from capability_router import routing
from langchain_router import AllCandidatesFailed, ChatRouter
from langchain_router.attempts.in_threads import in_threads

AT_ONCE = 60  # more than a loop's default executor has threads
CALLER: ContextVar[str] = ContextVar("caller", default="nobody")


class Blocking(BaseChatModel):
    """Knows no asyncio, as several packages' models."""

    says: str = "well"
    hangs: bool = False
    fails: bool = False
    _gate: Any = PrivateAttr(default_factory=threading.Event)
    _seen: list[str] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "blocking"

    def _made(self) -> str:
        self._seen.append(f"{CALLER.get()} in {threading.current_thread().name.rpartition('_')[0] or 'its own'}")
        if self.hangs:
            self._gate.wait(30)
        if self.fails:
            raise ConnectionError("down")
        return self.says

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._made()))])


class Streaming(Blocking):
    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for letter in self._made():
            if run_manager:
                run_manager.on_llm_new_token(letter)
            yield ChatGenerationChunk(message=AIMessageChunk(letter))


class InExecutor(Blocking):
    """Its own async method is the blocking one in the event loop's default executor."""

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return await asyncio.get_running_loop().run_in_executor(None, self._generate, messages)


InExecutor.__module__, InExecutor.__name__ = "langchain_ai21.chat_models", "ChatAI21"


def routed(*models: BaseChatModel, **settings: Any) -> ChatRouter:
    pairs = [(model, {"id": id}) for model, id in zip(models, "ab", strict=False)]
    return ChatRouter(models=pairs, policy="single", **settings)


async def streamed(llm: ChatRouter) -> str:
    return "".join([str(chunk.content) async for chunk in llm.astream("hi")])


@pytest.mark.parametrize("kind", [Blocking, Streaming, InExecutor])
@pytest.mark.parametrize("stream", [False, True])
def test_calls_that_hang_starve_no_sound_model(kind: type[Blocking], stream: bool) -> None:
    stuck, sound = kind(hangs=True), kind()
    llm = routed(stuck, sound)
    each = streamed if stream else _invoked

    async def of(model: str) -> str:
        with routing(pin=model):
            return await each(llm)

    async def all_at_once() -> list[str]:
        hanging = [asyncio.create_task(of("a")) for _ in range(AT_ONCE)]
        try:
            async with asyncio.timeout(60):
                while len(stuck._seen) < AT_ONCE:  # noqa: ASYNC110 - it is set in threads
                    await asyncio.sleep(0.01)
                assert await of("b") == "well"
        finally:
            stuck._gate.set()
        return await asyncio.gather(*hanging)

    assert asyncio.run(all_at_once()) == ["well"] * AT_ONCE
    assert {seen for model in (stuck, sound) for seen in model._seen} == {"nobody in its own"}


async def _invoked(llm: ChatRouter) -> str:
    return str((await llm.ainvoke("hi")).content)


async def test_the_models_state_its_context_and_its_errors_are_as_ever() -> None:
    model = FakeListChatModel(responses=["one", "two", "three"])
    llm = routed(model)
    assert [await _invoked(llm) for _ in range(2)] == ["one", "two"]
    assert model.i == 2
    token = CALLER.set("somebody")
    try:
        told = Streaming()
        assert await streamed(routed(told)) == "well"
        assert told._seen == ["somebody in its own"]
    finally:
        CALLER.reset(token)
    with pytest.raises(AllCandidatesFailed) as caught:
        await routed(Blocking(fails=True), retry={"attempts": 1}).ainvoke("hi")
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_it_goes_by_its_own_name_and_its_tokens_are_heard() -> None:
    heard: list[str] = []

    class Listener(AsyncCallbackHandler):
        async def on_chat_model_start(self, serialized: dict[str, Any], messages: Any, **kwargs: Any) -> None:
            heard.append(str(serialized["name"]))

        async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            heard.append(token)

    async for _ in routed(Streaming(says="ab")).astream("hi", {"callbacks": [Listener()]}):
        pass
    assert "Streaming" in heard
    assert [each for each in heard if each in ("a", "b")] == ["a", "b"]


async def test_a_model_with_calls_of_its_own_is_called_as_it_is() -> None:
    class Native(Blocking):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> ChatResult:
            return self._generate(messages)

    class Derived(InExecutor):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> ChatResult:
            return self._generate(messages)

    for native in (Native(), Derived()):
        assert in_threads(native) is native
    threaded = in_threads(Blocking())
    assert (type(threaded).__name__, isinstance(threaded, Blocking)) == ("Blocking", True)


async def test_who_goes_away_leaves_a_call_to_itself_and_stop_iteration_is_told() -> None:
    stuck = Blocking(hangs=True)
    task = asyncio.create_task(routed(stuck).ainvoke("hi"))
    while not stuck._seen:  # noqa: ASYNC110 - it is set in a thread
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stuck._gate.set()

    class Odd(Blocking):
        def _made(self) -> str:
            raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_threads(Odd()).ainvoke("hi")
