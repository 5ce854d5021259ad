"""A model's call of which handlers hear: langchain-core's `generate` tells them, and asks the model in the middle.

There it calls `_generate_with_cache`, of which mostly nothing is left but the model's own `_generate`
(plain_call.py). To find that out core reads its signature each time, and asks of every handler whether it wants
a stream, by a protocol: in Python 3.11 that takes longer than to tell the handler of the whole call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from inspect import signature
from operator import attrgetter
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, BaseCallbackHandler, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from langchain_router.attempts.listeners import shown_live
from langchain_router.attempts.plain_call import acall, call, cores, goes_plainly
from langchain_router.fleet.likeness import alike, as_one

_NAMES = ("_generate_with_cache", "_agenerate_with_cache")
_TAKEN = ["self", "messages", "stop", "run_manager", "kwargs"]
_methods = attrgetter(*_NAMES)
_TAP = "tap_output_iter"
"""A method of the handlers that core takes for ones that want a stream, whatever their class."""


def _cores() -> tuple[Any, ...] | None:
    """Core's own methods, as long as they take what those below do."""
    found = cores(BaseChatModel, _NAMES) or ()
    return found if found and all(list(signature(method).parameters) == _TAKEN for method in found) else None


_CORES = _cores()


def in_the_middle(model: BaseChatModel) -> BaseChatModel:
    """The same model, whose calls go straight from core to its `_generate` where there is nothing else to do."""
    kind = _asking(type(model)) if _methods(type(model)) == _CORES else None
    return model if kind is None else as_one(model, kind)


@lru_cache(maxsize=256)
def _asking(kind: type[BaseChatModel]) -> Any:
    return alike(kind, dict(zip(_NAMES, (_generate_with_cache, _agenerate_with_cache), strict=True)))


def _generate_with_cache(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> ChatResult:  # fmt: skip
    if run_manager is None or not _is_plain(self, run_manager.handlers, kwargs):
        return BaseChatModel._generate_with_cache(self, messages, stop, run_manager, **kwargs)
    return call(self, messages, run_manager, {"stop": stop, **kwargs})


def _agenerate_with_cache(
    self: Any, messages: list[BaseMessage], stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
) -> Awaitable[ChatResult]:  # fmt: skip
    if run_manager is None or not _is_plain(self, run_manager.handlers, kwargs):
        return BaseChatModel._agenerate_with_cache(self, messages, stop, run_manager, **kwargs)
    return acall(self, messages, run_manager, {"stop": stop, **kwargs})


def _is_plain(model: BaseChatModel, handlers: Sequence[BaseCallbackHandler], kwargs: dict[str, Any]) -> bool:
    """Whether no handler wants a stream, and nothing but the model's own method is to be called."""
    streams = shown_live(handlers) or any(hasattr(handler, _TAP) for handler in handlers)
    return not streams and goes_plainly(model, kwargs)
