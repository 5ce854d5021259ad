"""A model's call of which nobody hears: what is left then of langchain-core's `generate`.

Most of `generate` makes ready what handlers are told: the call's parameters, LangSmith's names for them, a callback
manager for the model, a result for tracers. Where neither the router's run nor the model has a handler all of it is
thrown away, and what is left is `_generate_with_cache`: there are the cache, the rate limiter, the model's own stream
and the message's id. The run is made as ever, for models that call others below it, and told to nobody.

Awaited, it is also one task less, and an exception is held by no frame of core's (`gather` gives it back in a list).
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.uuid import uuid7

from langchain_router.attempts.plain_call import acall, call, goes_plainly, is_text

RunT = TypeVar("RunT", CallbackManagerForLLMRun, AsyncCallbackManagerForLLMRun)


def goes_unheard(model: Any, config: RunnableConfig, messages: Sequence[BaseMessage]) -> bool:
    """Whether nobody would be told of a call that goes straight, and of which nobody above the model hears.

    Content that is no text is left to `generate`, which brings it into the form of the day.
    """
    heard = model.callbacks or model.verbose or config["callbacks"].handlers  # type: ignore[union-attr]  # a child manager
    return not heard and is_text(messages)


def ask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> ChatResult:
    """Make the call in this thread."""
    run = _run(CallbackManagerForLLMRun, model, config)
    if goes_plainly(model, kwargs):
        return call(model, messages, run, kwargs)
    return model._generate_with_cache(messages, run_manager=run, **kwargs)


def aask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, ChatResult]:
    """The call, to be awaited: one coroutine, for another around it would cost each wait within."""
    run = _run(AsyncCallbackManagerForLLMRun, model, config)
    if goes_plainly(model, kwargs):
        return acall(model, messages, run, kwargs)
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
