"""Makes a model object of a subclass with the same name, in which some of its framework's methods are replaced.

Traces and other descriptions of the model stay the same. The user's own object is not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from capability_router.sdks import shared_clients

T = TypeVar("T")
_STATE = ("__dict__", "__pydantic_private__", "__pydantic_fields_set__", "__pydantic_extra__")


def alike(kind: Any, own: Mapping[str, Any], framework: type) -> Any:
    """A subclass of the same name with these methods; None if it can't be subclassed, or its state can't be shared.

    `framework`: the framework's own base class of all its models. State in slots can't be shared, nor that of a class
    that validates assignments, because pydantic then replaces `__dict__`.
    """
    slots = any(base.__dict__.get("__slots__") for base in kind.__mro__ if base not in framework.__mro__)
    return None if slots or kind.model_config.get("validate_assignment") else shared_clients.alike(kind, own)


def as_subclass(model: T, kind: Any) -> T:
    """The model as an object of the subclass `kind`, with the same state."""
    same: T = object.__new__(kind)  # not the class's own `__new__`, which may create new state
    for name in _STATE:
        object.__setattr__(same, name, getattr(model, name))
    return same
