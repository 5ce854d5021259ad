"""langchain-core's `_generate_with_cache` for a call without cache, rate limiter and stream, but faster.

It calls the model's own `_generate`, and sets the message's id and metadata. Core reads the parameters of that method
for each call, which takes a fifth of a bare call's time; here they are read once for each method.

If core's method uses a name that is not known here, it may do more, and is called instead. So it is if a class
overrides one of its steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from types import CodeType
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel, chat_models
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

_KNOWN = frozenset({
    "AIMessageChunk", "AssertionError", "AsyncChatModelStream", "BaseCache", "ChatGeneration",
    "ChatGenerationChunk", "ChatModelStream", "ChatResult", "LC_ID_PREFIX", "RuntimeError", "ValueError",
    "_agenerate", "_aiter_v2_events", "_areplay_v2_events_for_cache_hit", "_astream", "_convert_cached_generations",
    "_gen_info_and_msg_metadata", "_generate", "_get_llm_string", "_iter_v2_events",
    "_replay_v2_events_for_cache_hit", "_should_stream", "_should_use_protocol_streaming", "_signature_parameters",
    "_stream", "_update_message_content_to_blocks", "_v3_generation", "aacquire", "acquire", "alookup", "append",
    "aupdate", "cache", "cast", "chunk_position", "content", "dumps", "enumerate", "generate_from_stream",
    "generations", "get", "get_llm_cache", "getattr", "id", "inspect", "isinstance", "iter", "len", "list",
    "llm_output", "lookup", "message", "model_copy", "on_llm_new_token", "output_message", "output_version",
    "parameters", "rate_limiter", "response_metadata", "run_id", "run_manager", "signature", "str", "update",
})  # fmt: skip
"""Every name that core's two methods use, in langchain-core 1.6 to 1.8."""


def cores(kind: type, names: tuple[str, ...]) -> tuple[Any, ...] | None:
    """Core's own methods; None if one is missing, or wrapped by another package, which must see each call."""
    found = tuple(getattr(kind, name, None) for name in names)
    return None if None in found or any(hasattr(method, "__wrapped__") for method in found) else found


def names_in(*methods: Any) -> set[str]:
    """Every name that these methods use; an additional unknown one for a method that is not a plain function."""
    codes = [getattr(method, "__code__", None) for method in methods]
    return set[str]().union(*(_names(code) if code is not None else {""} for code in codes))


def _names(code: CodeType) -> set[str]:
    within = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*within)


_steps = attrgetter("_should_stream", "_should_use_protocol_streaming")
_STEPS = _steps(BaseChatModel)
_told: Callable[[Any], dict[str, Any]] | None = getattr(chat_models, "_gen_info_and_msg_metadata", None)
_PREFIX: str | None = getattr(chat_models, "LC_ID_PREFIX", None)
_METHODS = BaseChatModel._generate_with_cache, BaseChatModel._agenerate_with_cache
_TEXT = {str}
_READ = bool(_told and _PREFIX) and names_in(*_METHODS) <= _KNOWN


def is_text(messages: Sequence[BaseMessage]) -> bool:
    """Whether all content is text, so that core has nothing to convert."""
    return {type(message.content) for message in messages} == _TEXT


def can_call_plainly(model: BaseChatModel, kwargs: Mapping[str, Any]) -> bool:
    """Whether `call` is enough for a call without handlers (so that no handler wants a stream)."""
    return (
        _READ
        and (model.cache is False or (model.cache is None and get_llm_cache() is None))
        and not model.rate_limiter
        and model.output_version != "v1"
        and "stream" not in kwargs
        and not streams(model)
        and _steps(type(model)) == _STEPS
    )


def call(
    model: BaseChatModel, messages: list[BaseMessage], run: CallbackManagerForLLMRun, kwargs: Mapping[str, Any]
) -> ChatResult:
    """Make it in this thread."""
    ask, given = model._generate, _given(model._generate, run, kwargs)
    return _finished(ask(messages, **given), run)


async def acall(
    model: BaseChatModel, messages: list[BaseMessage], run: AsyncCallbackManagerForLLMRun, kwargs: Mapping[str, Any]
) -> ChatResult:
    """Make it in this task. An exception keeps this frame alive in core's `agenerate`, so it clears its variables."""
    try:
        return _finished(await model._agenerate(messages, **_given(model._agenerate, run, kwargs)), run)
    finally:
        del model, messages, run, kwargs


def _given(ask: Any, run: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords for the model's own method, always with `stop`, as core calls it."""
    if _takes_run(getattr(ask, "__func__", ask)):
        return {"stop": None, **kwargs, "run_manager": run}
    return {"stop": None, **kwargs}


@lru_cache(maxsize=512)
def _takes_run(method: Any) -> bool:
    look_up = getattr(chat_models, "_signature_parameters", None)  # evaluates no annotation
    parameters = inspect.signature(method).parameters if look_up is None else look_up(method)
    return bool(parameters.get("run_manager"))


def _finished(result: ChatResult, run: Any) -> ChatResult:
    """The result, with the id and metadata that core sets on each message."""
    for index, generation in enumerate(result.generations):
        message = generation.message
        if message.id is None:
            message.id = f"{_PREFIX}-{run.run_id}-{index}"
        message.response_metadata = _told(generation)  # type: ignore[misc]  # by `_READ`
    if result.llm_output is not None and len(result.generations) == 1:
        message.response_metadata = {**result.llm_output, **message.response_metadata}
    return result


def streams(model: BaseChatModel) -> bool:
    """Whether it gathers its answers from streams. (`getattr` for a missing field is slow in pydantic.)"""
    return _may_stream(type(model)) and bool(getattr(model, "streaming", False))


@lru_cache(maxsize=256)
def _may_stream(kind: type[BaseChatModel]) -> bool:
    takes_any = kind.model_config.get("extra") == "allow"
    return takes_any or "streaming" in kind.model_fields or hasattr(kind, "streaming")
