"""Copies of a user's model, which share its client: some classes close that at their end, and no copy may.

A copy gets a class like its own, of the same name, whose `__del__` does nothing. The model itself keeps its own, so
that whoever made it must keep it as long as the copies are in use.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)
_HEARS = {"__init_subclass__", "__pydantic_init_subclass__"}
_FOUNDATIONS = {"builtins", "abc", "typing", "pydantic", "langchain_core", "llama_index", "llama_index_instrumentation"}
"""The packages whose own classes do hear of derived ones, and are meant to be derived from."""


def without_end(copied: T) -> T:
    """The copy itself, which ends nothing when it goes; as it was if its class hears of those derived from it."""
    kind: Any = type(copied)
    if hasattr(kind, "__del__") and (endless := _endless(kind)) is not None:
        object.__setattr__(copied, "__class__", endless)
    return copied


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods, which ends no client; it takes milliseconds.

    None where it can't be derived from, or hears of classes derived from it, as one with a registry does.
    """
    if _hears(kind):
        return None
    same = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__, **own}
    if hasattr(kind, "__del__"):
        same["__del__"] = _ends_nothing
    try:
        return type(kind)(kind.__name__, (kind,), same)
    except Exception as error:  # noqa: BLE001 - whatever forbids it: the model is used as it is
        _log.debug("%s is used as it is (%s)", kind.__name__, type(error).__name__)
        return None


def _ends_nothing(self: Any) -> None:
    """In the place of a model's own `__del__`: the client that it may close there is the user's, and goes on."""


@lru_cache(maxsize=256)
def _endless(kind: Any) -> Any:
    return None if kind.__del__ is _ends_nothing else alike(kind, {})


def _hears(kind: Any) -> bool:
    own = (base for base in kind.__mro__ if base.__module__.partition(".")[0] not in _FOUNDATIONS)
    return any(not _HEARS.isdisjoint(base.__dict__) for base in own)
