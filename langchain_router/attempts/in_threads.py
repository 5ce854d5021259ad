"""Async calls of models that have only blocking methods, each in its own thread.

langchain-core, and some packages themselves, make such calls in the event loop's default executor, where those that
hang would block the calls of all other models (`execution/driving/threaded_call.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache, partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, SimpleChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from capability_router.execution.driving.threaded_call import in_own_thread
from capability_router.sdks.method_override import alike, as_subclass
from langchain_router.partners.dialects import dialect_of_class

_OF_CORE = (BaseChatModel._agenerate, SimpleChatModel._agenerate)


def in_threads(model: BaseChatModel) -> BaseChatModel:
    """The same model with the same state, whose async calls don't block other calls."""
    kind = _threaded(type(model))
    return model if kind is None else as_subclass(model, kind)


@lru_cache(maxsize=256)
def _threaded(kind: Any) -> Any:
    """A subclass of the same name; None: the class has its own async methods, or can't be subclassed."""
    own: dict[str, Any] = {}
    if kind._agenerate in _OF_CORE or _in_executor(kind):
        own["_agenerate"] = _agenerate
    if kind._astream is BaseChatModel._astream and kind._stream is not BaseChatModel._stream:
        own["_astream"] = _astream
    return alike(kind, own, BaseChatModel) if own else None


def _in_executor(kind: Any) -> bool:
    """Whether its `_agenerate` is of a class that is known to call `_generate` in the loop's default executor."""
    home: type = next(base for base in kind.__mro__ if "_agenerate" in vars(base))
    dialect = dialect_of_class(home)
    return dialect.in_executor and dialect.class_name == home.__name__  # not a derived class with a method of its own


def _agenerate(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> asyncio.Future[ChatResult]:  # fmt: skip
    manager = run_manager.get_sync() if run_manager else None
    return in_own_thread(partial(self._generate, messages, stop=stop, run_manager=manager, **kwargs))


async def _astream(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> AsyncIterator[ChatGenerationChunk]:  # fmt: skip
    manager = run_manager.get_sync() if run_manager else None
    chunks = await in_own_thread(partial(self._stream, messages, stop=stop, run_manager=manager, **kwargs))
    while (chunk := await in_own_thread(partial(next, chunks, None))) is not None:
        yield chunk
