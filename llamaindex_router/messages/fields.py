"""Reads fields of raw replies, which may be mappings, objects of an SDK's classes, or anything else.

For each chunk of a stream some thirty names are looked up, most of which its class never has.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel


class _FieldAccess(Enum):
    ITEM = "an item of a mapping"
    ATTRIBUTE = "an attribute, wherever it comes from"
    HELD = "a field of a pydantic model"
    EXTRA = "what the class of a pydantic model does not know"


def field(thing: Any, name: str) -> Any:
    """An item of a mapping or an attribute of an object; None when it has none."""
    kind: Any = type(thing)
    if kind is dict:
        return thing.get(name)
    way = _way(kind, name)
    if way is _ITEM:
        return thing.get(name)
    if way is _ATTRIBUTE:
        return getattr(thing, name, None)
    held: dict[str, Any] = thing.__dict__
    if name in held:
        return held[name]
    # For a missing name, a pydantic model raises an error internally, which is slow.
    return (getattr(thing, "__pydantic_extra__", None) or held).get(name)


def possible_fields(thing: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names that may have a value; for an SDK's object mostly none."""
    kind: Any = type(thing)
    if not _is_plain_model(kind) or getattr(thing, "__pydantic_extra__", None):
        return names
    return _among(kind, names)


_ITEM, _ATTRIBUTE, _HELD, _EXTRA = _FieldAccess


@lru_cache(maxsize=4096)
def _way(kind: Any, name: str) -> _FieldAccess:
    if issubclass(kind, Mapping):
        return _ITEM
    if not _is_plain_model(kind) or name in kind.__private_attributes__:
        return _ATTRIBUTE
    if any(name in base.__dict__ for base in kind.__mro__):
        return _ATTRIBUTE
    return _HELD if name in kind.model_fields else _EXTRA


@lru_cache(maxsize=1024)
def _among(kind: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([name for name in names if _way(kind, name) is not _EXTRA])


@lru_cache(maxsize=1024)
def keeps(kind: Any, known: frozenset[str], lacking: frozenset[str]) -> bool:
    """Whether it is a pydantic class with all the `known` fields and none of the `lacking` ones."""
    if not _is_plain_model(kind):
        return False
    return all(_way(kind, name) is _HELD for name in known) and all(_way(kind, name) is _EXTRA for name in lacking)


@lru_cache(maxsize=256)
def _is_plain_model(kind: Any) -> bool:
    """Whether its public names are its own, its class's, or among what its class doesn't know, and nowhere else."""
    reading = ("__getattr__", "__getattribute__")
    own = any(getattr(kind, name, None) is not getattr(BaseModel, name, None) for name in reading)
    return issubclass(kind, BaseModel) and not own
