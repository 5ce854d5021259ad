"""A model's call of which nobody hears: what is left then of langchain-core's `generate`.

Most of `generate` makes ready what handlers are told: the call's parameters, LangSmith's names for them, a callback
manager for the model, a result for tracers. Where neither the router's run nor the model has a handler all of it is
thrown away, and what is left is `_generate_with_cache`: there are the cache, the rate limiter, the model's own stream
and the message's id. The run is made as ever, for models that call others below it, and told to nobody.

Awaited, it is also one task less, and an exception is held by no frame of core's (`gather` gives it back in a list).
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.uuid import uuid7

RunT = TypeVar("RunT", CallbackManagerForLLMRun, AsyncCallbackManagerForLLMRun)

_GENERATE, _AGENERATE = BaseChatModel.generate, BaseChatModel.agenerate
_PROMPTED, _APROMPTED = BaseChatModel.generate_prompt, BaseChatModel.agenerate_prompt
_CACHED = getattr(BaseChatModel, "_generate_with_cache", None)
_ACACHED = getattr(BaseChatModel, "_agenerate_with_cache", None)
_TAKEN = frozenset((
    "callbacks", "tags", "metadata", "run_name", "run_id", "run_manager", "messages", "prompts",
    "ls_structured_output_format", "structured_output_format",
))  # fmt: skip
"""Keywords of which `generate` makes something else than a keyword of the model's call, or a mistake."""

_TEXT = {str}


def _known() -> bool:
    """Whether this langchain-core has the methods as they are called here, and nobody has put his own around these."""
    for method in (_CACHED, _ACACHED):
        takes = inspect.signature(method).parameters if method is not None else {}
        if not {"messages", "stop", "run_manager", "kwargs"} <= takes.keys():
            return False
    return not any(hasattr(method, "__wrapped__") for method in (_GENERATE, _AGENERATE, _PROMPTED, _APROMPTED))


_KNOWN = _known()


def goes_unheard(model: BaseChatModel, config: RunnableConfig, messages: Sequence[BaseMessage], kwargs: Any) -> bool:
    """Whether nobody would be told of a call of this model, which nobody above it hears of.

    Content that is no text is left to `generate`, which brings it into the form of the day.
    """
    kind = type(model)
    return (
        _KNOWN
        and kind.generate is _GENERATE
        and kind.agenerate is _AGENERATE
        and kind.generate_prompt is _PROMPTED
        and kind.agenerate_prompt is _APROMPTED
        and kind._generate_with_cache is _CACHED
        and kind._agenerate_with_cache is _ACACHED
        and not (model.callbacks or model.verbose or config["callbacks"].handlers)  # type: ignore[union-attr]  # a child manager
        and (not kwargs or _TAKEN.isdisjoint(kwargs))
        and {type(message.content) for message in messages} == _TEXT
    )


def ask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> ChatResult:
    """Make the call in this thread."""
    run = _run(CallbackManagerForLLMRun, model, config)
    return model._generate_with_cache(messages, run_manager=run, **kwargs)


def aask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, ChatResult]:
    """The call, to be awaited: core's own coroutine, for one around it would cost each wait within."""
    run = _run(AsyncCallbackManagerForLLMRun, model, config)
    return model._agenerate_with_cache(messages, run_manager=run, **kwargs)


def _run(kind: type[RunT], model: BaseChatModel, config: RunnableConfig) -> RunT:
    """The model's run as it would be had it been told, below the router's."""
    above: Any = config["callbacks"]
    facts = config["metadata"]
    return kind(
        run_id=uuid7(), handlers=[], inheritable_handlers=[], parent_run_id=above.parent_run_id,
        tags=[*above.tags, *(model.tags or ())], inheritable_tags=above.inheritable_tags,
        metadata={**above.metadata, **facts, **(model.metadata or {})},
        inheritable_metadata={**above.inheritable_metadata, **facts},
    )  # fmt: skip
