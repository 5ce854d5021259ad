"""Copies of the user's models for the router's calls. The originals are never changed.

A copy has its own retries switched off, because the router retries; its cache, rate limiter, callbacks and tags still
apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from capability_router.sdks.async_keys import key_from_thread
from capability_router.sdks.fixed_temperature import refused
from capability_router.sdks.shared_clients import without_finalizer
from langchain_router.partners.dialects import dialect_of, highest_retries, retry_free_clients


def without_retries(model: BaseChatModel) -> BaseChatModel:
    """A copy with its own retries off; the model itself if it has none, or if it is unknown how to switch them off."""
    retries = dialect_of(model).retries
    if retries is None:
        return _with_silent_clients(model)
    silent = getattr(model, "max_retries", retries.off) == retries.off and not retries.hidden
    if silent and key_from_thread(model) is None:
        return model
    copy = without_finalizer(model.model_copy(update=_stating(model, retries.off)))
    retries.switch_off(copy)
    return copy


def _with_silent_clients(model: BaseChatModel) -> BaseChatModel:
    """A copy of a model of an unknown class whose SDK client has `max_retries`, with that set to 0."""
    clients = retry_free_clients(model)
    return without_finalizer(model.model_copy(update={**clients, **_stating(model, 0)})) if clients else model


def _stating(model: BaseChatModel, retries: int) -> dict[str, int]:
    return {"max_retries": retries} if "max_retries" in type(model).model_fields else {}


def retries_left(model: BaseChatModel) -> int:
    """The model's remaining own retries, as far as is known."""
    retries = dialect_of(model).retries
    stated = getattr(model, "max_retries", 0)
    if not isinstance(stated, int):
        stated = 0
    return max(stated - retries.off, 0) if retries else max(stated, highest_retries(model))


def with_defaults(model: BaseChatModel, defaults: Mapping[str, Any]) -> BaseChatModel:
    """A copy with temperature, max_tokens, ... in this model's fields.

    Those for which it has none are left out, and so is a temperature that it rejects.
    """
    return _with_fields(model, {word: v for word, v in defaults.items() if not _keeps_its_own(model, word, v)})


def _with_fields(model: BaseChatModel, said: Mapping[str, Any]) -> BaseChatModel:
    update = {name: value for word, value in said.items() if (name := _field(model, word)) is not None}
    return without_finalizer(_differing(model.model_copy(update=update))) if update else model


def _differing(copied: BaseChatModel) -> BaseChatModel:
    """The copy without what core kept of the original: else its answers go by the original's name in a cache."""
    copied.__dict__.pop("_serialized", None)
    return copied


def _keeps_its_own(model: BaseChatModel, word: str, value: Any) -> bool:
    """Whether the model keeps its own setting: one that never streams must not begin to under "tool_calling"."""
    if word == "temperature":
        return refused(model, value)
    return word == "disable_streaming" and model.disable_streaming is True


def as_keywords(model: BaseChatModel, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """The defaults without a field in this model, as keywords of its calls; not a temperature that it rejects."""
    lacking = (word for word in _SAID if word in defaults and _field(model, word) is None)
    return {word: defaults[word] for word in lacking if not _keeps_its_own(model, word, defaults[word])}


_SAID = ("temperature", "max_tokens")


def _field(model: BaseChatModel, word: str) -> str | None:
    known = type(model).model_fields
    return next((name for name in dialect_of(model).field_names(word) if name in known), None)


def own_tools(model: BaseChatModel) -> bool:
    """Whether the model itself adds tools to its calls, of which the router knows nothing."""
    added = (getattr(model, name, None) for name in ("model_kwargs", "extra_body", "kwargs"))
    return any(isinstance(part, Mapping) and not _ADDING.isdisjoint(part) for part in added)


_ADDING = {"tools", "functions"}


def with_keywords(model: BaseChatModel, kwargs: Mapping[str, Any]) -> tuple[BaseChatModel, Mapping[str, Any]]:
    """The model and a call's keywords; those that its class takes in no call are in the fields of a copy instead.

    None is left out: what a caller asks of one call goes to any model as it is.
    """
    moved = {word: kwargs[word] for word in dialect_of(model).fields_only if word in kwargs} if kwargs else {}
    if not moved:
        return model, kwargs
    left = {word: value for word, value in kwargs.items() if word not in moved}
    return _with_fields(model, moved), left
