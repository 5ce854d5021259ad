"""A fast call of a model without callback handlers: only the needed parts of langchain-core's `generate`.

Most of `generate` prepares arguments for handlers: the call's parameters, LangSmith's names for them, a callback
manager for the model, a result for tracers. If neither the router's run nor the model has a handler, all of it is
unused, and only `_generate_with_cache` is needed: cache, rate limiter, the model's own stream and the message's id. The
run object is still made, for models that call others, but no handler gets it.

In async this also saves a task, and no frame of core's keeps an exception (`gather` returns it in a list).
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

from langchain_router.attempts.plain_call import acall, call, can_call_plainly, is_text

RunT = TypeVar("RunT", CallbackManagerForLLMRun, AsyncCallbackManagerForLLMRun)


def has_no_handlers(model: Any, config: RunnableConfig, messages: Sequence[BaseMessage]) -> bool:
    """Whether the call has no callback handlers, neither the model's own nor inherited ones, and only text content.

    Other content is left to `generate`, which converts it.
    """
    heard = model.callbacks or model.verbose or config["callbacks"].handlers  # type: ignore[union-attr]  # a child manager
    return not heard and is_text(messages)


def ask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> ChatResult:
    """Make the call in this thread."""
    run = _run(CallbackManagerForLLMRun, model, config)
    if can_call_plainly(model, kwargs):
        return call(model, messages, run, kwargs)
    return model._generate_with_cache(messages, run_manager=run, **kwargs)


def aask(
    model: BaseChatModel, config: RunnableConfig, messages: list[BaseMessage], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, ChatResult]:
    """The call, to be awaited. It returns the coroutine itself, because a nested one costs time at each wait."""
    run = _run(AsyncCallbackManagerForLLMRun, model, config)
    if can_call_plainly(model, kwargs):
        return acall(model, messages, run, kwargs)
    return model._agenerate_with_cache(messages, run_manager=run, **kwargs)


def _run(kind: type[RunT], model: BaseChatModel, config: RunnableConfig) -> RunT:
    """The model's run as a child of the router's, as core would make it."""
    above: Any = config["callbacks"]
    facts = config["metadata"]
    return kind(
        run_id=uuid7(), handlers=[], inheritable_handlers=[], parent_run_id=above.parent_run_id,
        tags=[*above.tags, *(model.tags or ())], inheritable_tags=above.inheritable_tags,
        metadata={**above.metadata, **facts, **(model.metadata or {})},
        inheritable_metadata={**above.inheritable_metadata, **facts},
    )  # fmt: skip
