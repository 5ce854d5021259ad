"""What a call of the router leaves to the garbage collector: nothing of its own, also where attempts fail."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted

from langchain_router import AllCandidatesFailed, ChatRouter


class Broken(Scripted):
    """Fails with an error of its own each time."""

    def _next(self, messages: Any, kwargs: Any) -> Any:
        raise ConnectionError("refused")


def left(call: Callable[[], object]) -> int:
    """Objects that only the collector finds after a call; the one before has made what stays."""
    call()
    gc.collect()
    gc.disable()
    try:
        call()
        return gc.collect()
    finally:
        gc.enable()


@pytest.fixture
def loop() -> Any:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def failing(router: ChatRouter, error: type[Exception] | None = None) -> Callable[[], object]:
    def call() -> None:
        router.router.reset("broken")  # it is asked first each time
        with pytest.raises(error) if error else nullcontext():
            assert router.invoke("hi").response_metadata["router"]["fallback"]

    return call


def over(broken: Broken, *others: Any) -> ChatRouter:
    return ChatRouter([(broken, {"id": "broken"}), *others], policy="single")


def test_a_call_that_another_model_answers_leaves_nothing() -> None:
    assert left(failing(over(Broken(), Scripted()))) == 0


def test_a_call_that_nobody_answers_leaves_nothing() -> None:
    assert left(failing(over(Broken()), AllCandidatesFailed)) == 0


def test_an_awaited_call_leaves_little_more_than_langchain_core_does_itself(loop: asyncio.AbstractEventLoop) -> None:
    """Core's own frames hold the exception that they raise; the request must not hang on it."""
    broken, router = Broken(), over(Broken(), Scripted())

    async def bare() -> None:
        with suppress(ConnectionError):
            await broken.ainvoke("hi")

    async def routed() -> None:
        router.router.reset("broken")
        assert (await router.ainvoke("hi")).response_metadata["router"]["fallback"]

    own = left(lambda: loop.run_until_complete(bare()))
    assert left(lambda: loop.run_until_complete(routed())) <= own + 20  # an attempt's own config and metadata
