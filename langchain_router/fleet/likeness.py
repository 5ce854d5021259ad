"""A model under a class like its own, of the same name, with some methods in the place of langchain-core's.

What tells of the model, such as a trace, tells the same; the model itself, which is the user's, is not touched.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from capability_router.connections.shared_clients import ends

_log = logging.getLogger(__name__)
_STATE = ("__dict__", "__pydantic_private__", "__pydantic_fields_set__", "__pydantic_extra__")
_HEARS = {"__init_subclass__", "__pydantic_init_subclass__"}


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods; None where it can't be derived from. It takes milliseconds."""
    if _would_differ(kind):
        return None
    same = {"__module__": kind.__module__, "__doc__": kind.__doc__, **own}
    if hasattr(kind, "__del__"):
        same["__del__"] = ends
    try:
        return type(kind)(kind.__name__, (kind,), same)
    except Exception as error:  # noqa: BLE001 - whatever forbids it: the model is called as core would
        _log.debug("%s is called as it is (%s)", kind.__name__, type(error).__name__)
        return None


def _would_differ(kind: Any) -> bool:
    """Whether it hears of classes derived from it, as one with a registry does, or keeps state that is not shared.

    That is what stands in slots, and what is assigned where pydantic validates that: it puts another `__dict__` in.
    """
    own = [base.__dict__ for base in kind.__mro__ if base not in BaseChatModel.__mro__]
    unshared = kind.model_config.get("validate_assignment") or any(names.get("__slots__") for names in own)
    return bool(unshared) or any(not _HEARS.isdisjoint(names) for names in own)


def as_one(model: BaseChatModel, kind: Any) -> BaseChatModel:
    """The same model, with the same state, as one of a class like its own."""
    same: BaseChatModel = object.__new__(kind)  # not by a `__new__` of its own: nothing is to be made anew
    for name in _STATE:
        object.__setattr__(same, name, getattr(model, name))
    return same
