"""A call asks the model itself where langchain-core's method would do nothing else, whether anybody hears or not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_router import ChatRouter
from langchain_router.attempts import plain_call


class Listening(BaseCallbackHandler):
    """Hears of every run."""


class Several(BaseChatModel):
    """Two answers, the first with an id of its own; its method takes no run."""

    @property
    def _llm_type(self) -> str:
        return "several"

    def _generate(self, messages: Any, stop: Any = None, **kwargs: Any) -> ChatResult:  # type: ignore[override]  # as some are
        assert "run_manager" not in kwargs
        told = {"finish_reason": "stop", "stopped_by": str(stop)}
        one, two = AIMessage("one", id="own", response_metadata=told), AIMessage("two", response_metadata=told)
        return ChatResult(
            generations=[ChatGeneration(message=one, generation_info={"logprobs": [0.5]}), ChatGeneration(message=two)],
            llm_output={"system_fingerprint": "fp"},
        )

    async def _agenerate(self, messages: Any, stop: Any = None, **kwargs: Any) -> ChatResult:  # type: ignore[override]  # likewise
        return Several._generate(self, messages, stop, **kwargs)


class One(Several):
    """One answer without an id, whose metadata core puts together of three places."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        assert run_manager is not None
        result = super()._generate(messages, stop, **kwargs)
        result.generations = [ChatGeneration(message=AIMessage("one"), generation_info={"finish_reason": "stop"})]
        return result

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, stop, run_manager, **kwargs)


class Streams(One):
    """Its stream says something else than its whole answer, so that one sees which was asked for."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="streamed", response_metadata={"finish_reason": "stop"})
        )


class Insists(Streams):
    """Asks for its stream in its own way, as langchain-groq does."""

    def _should_stream(self, **kwargs: Any) -> bool:
        return True


def plain(message: AIMessage) -> dict[str, Any]:
    """All of it but what differs between any two calls."""
    told = message.model_dump()
    told["response_metadata"]["router"] = {**told["response_metadata"]["router"], "request_id": ""}
    return {
        **told,
        "id": str(told["id"]).partition("--")[0],
        "type": "",
        "chunk_position": None,
        "tool_call_chunks": [],
    }


MODELS: dict[str, Callable[[], BaseChatModel]] = {
    "one": One, "several": Several, "scripted": Scripted, "streams": Streams, "insists": Insists,
    "v1": lambda: One(output_version="v1"), "uncached": lambda: One(cache=False),
    "cached": lambda: One(cache=InMemoryCache()),
}  # fmt: skip


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("keywords", [{}, {"stop": ["x"]}, {"stream": True}], ids=["bare", "stop", "stream"])
async def test_the_answer_is_the_one_that_core_makes(
    make: Callable[[], BaseChatModel], keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(*given: Any) -> list[dict[str, Any]]:
        router = ChatRouter([(make(), {"id": "m"})])
        told = [router.invoke("hello", *given, **keywords), await router.ainvoke("hello", *given, **keywords)]
        assert all(message.id for message in told)
        return [plain(message) for message in told]

    config: Any = {"callbacks": [Listening()]}
    unheard, heard = await answers(), await answers(config)
    monkeypatch.setattr("langchain_router.attempts.fast_path._KNOWN", False)  # then core's own methods are called
    assert unheard == heard == await answers(config)


async def test_a_global_cache_is_asked() -> None:
    set_llm_cache(InMemoryCache())
    try:
        model = Scripted()
        router = ChatRouter([model])
        for _ in range(2):
            router.invoke("hello")
            await router.ainvoke("hello")
        assert len(model.calls) == 1
    finally:
        set_llm_cache(None)


async def test_the_parameters_of_a_method_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    signature = inspect.signature

    def noted(method: Any, **options: Any) -> inspect.Signature:
        read.append(method)
        return signature(method, **options)

    router = ChatRouter([One()])
    router.invoke("hello")
    await router.ainvoke("hello")
    monkeypatch.setattr(inspect, "signature", noted)
    router.invoke("hello")
    await router.ainvoke("hello")
    assert read == []
    config: Any = {"callbacks": [Listening()]}
    router.invoke("hello", config)
    await router.ainvoke("hello", config)
    assert read == []
    One().invoke("hello", config)
    assert read  # by core


def test_a_method_put_on_the_class_later_is_asked_by_its_own_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    router = ChatRouter([One()])
    router.invoke("hello")
    monkeypatch.setattr(One, "_generate", Several._generate)  # takes no run
    assert router.invoke("hello").content == "one"


def test_cores_methods_are_those_that_were_read() -> None:
    """Where this fails core does something new there: read it, then add its names."""
    assert plain_call.names_in(*plain_call._METHODS) <= plain_call._KNOWN
    assert plain_call._READ


def test_another_method_of_cores_is_called_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = BaseChatModel._generate_with_cache.__code__
    seen: set[Any] = set()

    def generate(self: Any, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        seen.add(inspect.currentframe().f_back.f_code)  # type: ignore[union-attr]  # there is a caller
        return ChatResult(generations=[ChatGeneration(message=AIMessage("one"))])

    monkeypatch.setattr(One, "_generate", generate)
    router = ChatRouter([One()])
    router.invoke("hello")
    assert cores not in seen
    monkeypatch.setattr(plain_call, "_READ", False)
    router.invoke("hello")
    assert cores in seen
