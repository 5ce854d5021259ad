"""Async calls of LLMs that have only blocking methods, each in its own thread.

The async methods of llama-index-core's CustomLLM call the blocking ones in the event loop. Until such a call returns,
no other request of the process goes on, and no time limit can end the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.llm import LLM

from capability_router.concurrency.async_generators import END
from capability_router.execution.driving.threaded_call import in_own_thread
from capability_router.sdks.method_override import alike, as_subclass

_BLOCKING = {("llama_index.core.llms.custom", "CustomLLM"), ("llama_index.llms.sglang.base", "SGLang")}
"""The classes whose own async methods do nothing but call the blocking ones."""


def in_threads(llm: LLM) -> LLM:
    """The same LLM with the same state, whose async calls don't block other calls."""
    kind = _threaded(type(llm))
    return llm if kind is None else as_subclass(llm, kind)


@lru_cache(maxsize=256)
def _threaded(kind: type[LLM]) -> Any:
    """A subclass of the same name; None: the class has its own async methods, or can't be subclassed."""
    own = {name: method for name, method in _METHODS.items() if _home(kind, name) in _BLOCKING}
    return alike(kind, own, LLM) if own else None


def _home(kind: type[LLM], method: str) -> tuple[str, str]:
    """Module and name of the class that defines the method."""
    home = next(base for base in kind.__mro__ if method in base.__dict__)
    return home.__module__, home.__name__


@llm_chat_callback()
async def _achat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
    return await in_own_thread(partial(self.chat, messages, **kwargs))


@llm_chat_callback()
async def _astream_chat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> AsyncIterator[ChatResponse]:
    return _read(partial(self.stream_chat, messages, **kwargs))


@llm_completion_callback()
async def _acomplete(self: Any, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
    return await in_own_thread(partial(self.complete, prompt, formatted=formatted, **kwargs))


@llm_completion_callback()
async def _astream_complete(
    self: Any, prompt: str, formatted: bool = False, **kwargs: Any
) -> AsyncIterator[CompletionResponse]:
    return _read(partial(self.stream_complete, prompt, formatted=formatted, **kwargs))


async def _read(opened: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
    """The chunks of a blocking stream. All its steps run in one context: it may reset what it set in an earlier one."""
    context = copy_context()
    chunks = await in_own_thread(partial(context.run, opened))
    while (chunk := await in_own_thread(partial(context.run, next, chunks, END))) is not END:
        yield chunk


_METHODS = {
    "achat": _achat, "astream_chat": _astream_chat, "acomplete": _acomplete, "astream_complete": _astream_complete,
}  # fmt: skip
