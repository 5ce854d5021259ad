"""Decides whether a model may be called without langchain-core's `invoke` and `generate`, which is faster.

For one list of messages these do little that is needed: `without_handlers.py` does it for calls without callback
handlers, `with_handlers.py` for calls with some. If core's methods are not the known ones, or a class or model
overrides one of them, or another package has wrapped one, the call is made through core.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from langchain_router.attempts.plain_call import cores, names_in

_ASKED = (
    "invoke", "ainvoke", "generate_prompt", "agenerate_prompt", "generate", "agenerate",
    "_generate_with_cache", "_agenerate_with_cache",
)  # fmt: skip
_BOUND = ("invoke", "ainvoke")
_NO_KEYWORDS: Mapping[str, Any] = {}
_TAKEN = frozenset((
    "callbacks", "tags", "metadata", "run_name", "run_id", "run_manager", "messages", "prompts",
    "ls_structured_output_format", "structured_output_format",
))  # fmt: skip
"""Keywords that `generate` uses itself, or rejects, instead of passing them on to the model."""

_READ = frozenset({
    "AsyncCallbackManager", "BaseException", "CallbackManager", "Exception", "LLMResult", "RunInfo",
    "_agenerate_with_cache", "_combine_llm_outputs", "_filter_invocation_params_for_tracing", "_format_for_tracing",
    "_format_ls_structured_output", "_generate_response_from_error", "_generate_with_cache", "_get_invocation_params",
    "_get_ls_params_with_defaults", "_normalize_messages", "_serialized", "append", "asyncio", "callbacks", "configure",
    "enumerate", "gather", "generations", "isinstance", "len", "llm_output", "metadata", "on_chat_model_start",
    "on_llm_end", "on_llm_error", "pop", "run", "run_id", "tags", "verbose", "zip",
})  # fmt: skip
"""Every name that core's `generate` and `agenerate` use, in langchain-core 1.6 to 1.8."""


def _takes_its_run() -> bool:
    """Whether this langchain-core's methods have the known parameters."""
    takes = [inspect.signature(method).parameters.keys() for method in (_MODELS or ())[-2:]]
    return bool(takes) and all({"messages", "stop", "run_manager", "kwargs"} <= names for names in takes)


_models, _bindings = attrgetter(*_ASKED), attrgetter(*_BOUND)
_MODELS, _BINDINGS = cores(BaseChatModel, _ASKED), cores(RunnableBinding, _BOUND)
_KNOWN = _takes_its_run() and names_in(BaseChatModel.generate, BaseChatModel.agenerate) <= _READ


def unbound(runnable: Any) -> tuple[Any, Mapping[str, Any]]:
    """The model and keywords of core's own binding; any other runnable is returned unchanged, without keywords."""
    if _bindings(type(runnable)) != _BINDINGS or runnable.config or runnable.config_factories:
        return runnable, _NO_KEYWORDS
    return runnable.bound, runnable.kwargs


def takes_fast_path(model: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether core would do only known things with this model and these keywords."""
    kind: Any = type(model)
    return (
        _KNOWN
        and _is_chat_model(kind)
        and _models(kind) == _MODELS
        and model.__dict__.keys().isdisjoint(_ASKED)  # set on this object alone, as some instrumentation does
        and (not kwargs or _TAKEN.isdisjoint(kwargs))
    )  # fmt: skip


@lru_cache(maxsize=256)
def _is_chat_model(kind: type) -> bool:  # pydantic's classes are slow to ask, as in messages/kinds.py
    return issubclass(kind, BaseChatModel)
