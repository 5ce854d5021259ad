"""LlamaIndex's structured LLM around one of ours, for which the keys of a call stay out of spans and events."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from llama_index.core.llms.structured_llm import StructuredLLM

from capability_router.endpoints.veil import veiled
from llamaindex_router.tracing import unspanned

F = TypeVar("F", bound=Callable[..., Any])


def _keyless(method: F) -> F:
    """Its own span and events are given the keys veiled; the wrapped LLM unveils them."""

    @wraps(method)
    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return bound(self)(*args, **veiled(kwargs))

    @wraps(method)
    async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await bound(self)(*args, **veiled(kwargs))

    def bound(self: Any) -> Any:  # older spans know their instance only so
        return method.__get__(self, type(self))

    return cast(F, unspanned(awaited if iscoroutinefunction(method) else asked))


class KeylessStructuredLLM(StructuredLLM):
    """See StructuredLLM."""

    chat = _keyless(StructuredLLM.chat)
    stream_chat = _keyless(StructuredLLM.stream_chat)
    complete = _keyless(StructuredLLM.complete)
    achat = _keyless(StructuredLLM.achat)
    astream_chat = _keyless(StructuredLLM.astream_chat)
    acomplete = _keyless(StructuredLLM.acomplete)
