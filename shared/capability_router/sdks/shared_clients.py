"""Copies of a user's model share its client. Some classes close the client in `__del__`; no copy may do that.

A copy gets a class like its own, of the same name, whose `__del__` does nothing. The user's model keeps its class, so
the user must keep the model as long as the copies are in use.
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
"""Packages whose own classes define these hooks and are meant to be subclassed."""


def without_finalizer(copied: T) -> T:
    """The copy itself, with a `__del__` that does nothing; unchanged if its class has a hook for subclasses."""
    kind: Any = type(copied)
    if hasattr(kind, "__del__") and (endless := _endless(kind)) is not None:
        object.__setattr__(copied, "__class__", endless)
    return copied


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods, which closes no client; making it takes milliseconds.

    None if the class can't be subclassed, or has a hook for subclasses, as one with a registry does.
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
    """Replaces a model's own `__del__`: the client that it might close is the user's and stays in use."""


@lru_cache(maxsize=256)
def _endless(kind: Any) -> Any:
    return None if kind.__del__ is _ends_nothing else alike(kind, {})


def _hears(kind: Any) -> bool:
    own = (base for base in kind.__mro__ if base.__module__.partition(".")[0] not in _FOUNDATIONS)
    return any(not _HEARS.isdisjoint(base.__dict__) for base in own)
