"""A model under a class like its own, of the same name, with some methods in the place of langchain-core's.

What tells of the model, such as a trace, tells the same; the model itself, which is the user's, is not touched.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

_log = logging.getLogger(__name__)
_STATE = ("__dict__", "__pydantic_private__", "__pydantic_fields_set__", "__pydantic_extra__")
_HEARS = {"__init_subclass__", "__pydantic_init_subclass__"}


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods; None where it can't be derived from. It takes milliseconds."""
    if _would_notice(kind):
        return None
    same = {"__module__": kind.__module__, "__doc__": kind.__doc__, **own}
    if hasattr(kind, "__del__"):
        same["__del__"] = _ends
    try:
        return type(kind)(kind.__name__, (kind,), same)
    except Exception as error:  # noqa: BLE001 - whatever forbids it: the model is called as core would
        _log.debug("%s is called as it is (%s)", kind.__name__, type(error).__name__)
        return None


def _would_notice(kind: Any) -> bool:
    """Whether it hears of classes derived from it, as one with a registry does, or has slots, which `as_one` leaves."""
    own = [base.__dict__ for base in kind.__mro__ if base not in BaseChatModel.__mro__]
    return any(not _HEARS.isdisjoint(names) or names.get("__slots__") for names in own)


def _ends(self: Any) -> None:
    """In the place of a model's own `__del__`: the client that it may close there is the user's, and goes on."""


def as_one(model: BaseChatModel, kind: Any) -> BaseChatModel:
    """The same model, with the same state, as one of a class like its own."""
    same: BaseChatModel = kind.__new__(kind)
    for name in _STATE:
        object.__setattr__(same, name, getattr(model, name))
    return same
