"""What a call of the router leaves to the garbage collector: nothing of its own, also where attempts fail."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted
from langchain_core.callbacks import BaseCallbackHandler

from langchain_router import AllCandidatesFailed, ChatRouter

OURS = ("capability_router", "langchain_router")


EMPTY = {
    "capability_router.execution.driving.threaded_call._work", "langchain_router.attempts.plain_call.acall",
}  # fmt: skip
"""The frames below a model's own, to which the call's own frames lead back; they have let go of all they held."""


class Broken(Scripted):
    """Fails with an error of its own each time."""

    def _next(self, messages: Any, kwargs: Any) -> Any:
        raise ConnectionError("refused")


def left(call: Callable[[], object]) -> list[str]:
    """What of the router's only the collector finds after a call; the one before has made what stays."""
    call()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        call()
        gc.collect()
        return [told for thing in gc.garbage if (told := told_of(thing)).startswith(OURS)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def told_of(thing: object) -> str:
    """Its class, or of a frame its function, with the module."""
    if isinstance(thing, FrameType):
        return f"{thing.f_globals.get('__name__')}.{thing.f_code.co_qualname}"
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


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


def awaited(loop: asyncio.AbstractEventLoop, router: ChatRouter) -> Callable[[], object]:
    async def routed() -> None:
        router.router.reset("broken")
        assert (await router.ainvoke("hi")).response_metadata["router"]["fallback"]

    return lambda: loop.run_until_complete(routed())


def over(broken: Broken, *others: Any, **settings: Any) -> ChatRouter:
    return ChatRouter([(broken, {"id": "broken"}), *others], policy="single", **settings)


def test_a_call_that_another_model_answers_leaves_nothing() -> None:
    assert left(failing(over(Broken(), Scripted()))) == []


def test_a_call_that_nobody_answers_leaves_nothing() -> None:
    assert left(failing(over(Broken()), AllCandidatesFailed)) == []


@pytest.mark.parametrize("settings", [{}, {"timeouts": {"total": 20}}], ids=["no clock", "a clock"])
def test_an_awaited_call_leaves_nothing(loop: asyncio.AbstractEventLoop, settings: dict[str, Any]) -> None:
    assert left(awaited(loop, over(Broken(), Scripted(), **settings))) == []


def test_a_call_of_which_a_handler_hears_leaves_nothing() -> None:
    config: Any = {"callbacks": [BaseCallbackHandler()]}
    router = ChatRouter([Scripted()])
    assert left(lambda: router.invoke("hi", config)) == []


@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 14), reason="there a frame that outlives its call keeps its callers'"
)
def test_of_an_awaited_call_nothing_hangs_on_what_langchain_core_leaves(loop: asyncio.AbstractEventLoop) -> None:
    """Core's own `agenerate` holds the exception that it raises: a ring, which the request is to be no part of."""

    class Generating(Broken):
        async def agenerate(self, *given: Any, **keywords: Any) -> Any:
            return await super().agenerate(*given, **keywords)

    assert set(left(awaited(loop, over(Generating(), Scripted())))) <= EMPTY
