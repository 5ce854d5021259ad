"""The keys of a call, which a span and the events of an LLM's method don't show.

A span is given the arguments of its method, so the keys are veiled before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from llama_index_instrumentation import get_dispatcher

from capability_router.endpoints.key_masking import mask_keys
from llamaindex_router.tracing import without_span

F = TypeVar("F", bound=Callable[..., Any])
_NESTED, _BEFORE = "llm_kwargs", 2
"""The parameter, and how many stand before it."""


def keyless(method: F) -> F:
    """With a span that shows no key among the keywords; the method gets them veiled, too."""
    return _spanned(method, lambda args, kwargs: (args, mask_keys(kwargs)))


def keyless_structured(method: F) -> F:
    """The same for `structured_predict`, whose keywords are the prompt's variables: those of the call are in one."""
    return _spanned(method, _with_nested)


def _with_nested(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if len(args) > _BEFORE and args[_BEFORE]:
        return (*args[:_BEFORE], mask_keys(args[_BEFORE]), *args[_BEFORE + 1 :]), kwargs
    if kwargs.get(_NESTED):
        return args, {**kwargs, _NESTED: mask_keys(kwargs[_NESTED])}
    return args, kwargs


def _spanned(method: F, change: Callable[..., Any]) -> F:
    spanned: Any = get_dispatcher(method.__module__).span(method)

    @wraps(method)
    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        shown, named = change(args, kwargs)
        return spanned.__get__(self, type(self))(*shown, **named)

    @wraps(method)
    async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
        shown, named = change(args, kwargs)
        return await spanned.__get__(self, type(self))(*shown, **named)

    return cast(F, without_span(awaited if iscoroutinefunction(method) else asked))
