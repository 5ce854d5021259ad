"""Async calls of models that have only blocking methods, each in its own thread.

langchain-core makes such calls in the event loop's default executor, which has few threads and also looks up host
names. A hanging call can't be stopped, so a few of them would block the calls of all other models. Here each call gets
one of the router's own threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, SimpleChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from capability_router.concurrency.thread_pool import THREADS
from capability_router.execution.driving.effect_runner import without_router_frames
from capability_router.sdks.readers import READERS
from langchain_router.fleet.method_override import alike, as_subclass

T = TypeVar("T")
_OF_CORE = (BaseChatModel._agenerate, SimpleChatModel._agenerate)


def in_threads(model: BaseChatModel) -> BaseChatModel:
    """The same model with the same state, whose async calls don't block other calls."""
    kind = _threaded(type(model))
    return model if kind is None else as_subclass(model, kind)


@lru_cache(maxsize=256)
def _threaded(kind: Any) -> Any:
    """A subclass of the same name; None: the class has its own async methods, or can't be subclassed."""
    own: dict[str, Any] = {}
    if kind._agenerate in _OF_CORE:
        own["_agenerate"] = _agenerate
    if kind._astream is BaseChatModel._astream and kind._stream is not BaseChatModel._stream:
        own["_astream"] = _astream
    return alike(kind, own) if own else None


def _agenerate(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> asyncio.Future[ChatResult]:  # fmt: skip
    manager = run_manager.get_sync() if run_manager else None
    return _in_a_thread(partial(self._generate, messages, stop=stop, run_manager=manager, **kwargs))


async def _astream(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> AsyncIterator[ChatGenerationChunk]:  # fmt: skip
    manager = run_manager.get_sync() if run_manager else None
    chunks = await _in_a_thread(partial(self._stream, messages, stop=stop, run_manager=manager, **kwargs))
    while (chunk := await _in_a_thread(partial(next, chunks, None))) is not None:
        yield chunk


def _in_a_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """The result of the call, which runs in the caller's context. If the caller is cancelled, the call runs on.

    Not a coroutine: its frame would be part of a reference cycle with an exception (performance.py,
    `without_router_frames`).
    """
    given: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    THREADS.begin("router attempt", partial(_work, given, partial(copy_context().run, call)))
    return given


def _work(given: asyncio.Future[Any], call: Callable[[], Any]) -> bool:
    """Make the call in this thread; returns whether its caller is still there."""
    try:
        with READERS.at_work():
            told = partial(given.set_result, call())
    except StopIteration:  # a future can't hold a StopIteration
        told = partial(given.set_exception, RuntimeError("the model's call raised StopIteration"))
    except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
        error.__traceback__ = without_router_frames(error.__traceback__)
        told = partial(given.set_exception, error)
    _tell(given, told)
    kept = not given.cancelled()
    del given, call, told  # an exception's frames refer to this one: no reference cycle
    return kept


def _tell(given: asyncio.Future[Any], told: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop was closed meanwhile, so no task waits
        given.get_loop().call_soon_threadsafe(_told, given, told)


def _told(given: asyncio.Future[Any], told: Callable[[], None]) -> None:
    if not given.done():
        told()
