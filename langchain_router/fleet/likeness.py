"""A model under a class like its own, of the same name, with some methods in the place of langchain-core's.

What tells of the model, such as a trace, tells the same; the model itself, which is the user's, is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from capability_router.connections import shared_clients

_STATE = ("__dict__", "__pydantic_private__", "__pydantic_fields_set__", "__pydantic_extra__")


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods; None where it can't be derived from, or its state not be shared.

    State that can't stands in slots, or is assigned where pydantic validates that: it puts another `__dict__` in.
    """
    slots = any(base.__dict__.get("__slots__") for base in kind.__mro__ if base not in BaseChatModel.__mro__)
    return None if slots or kind.model_config.get("validate_assignment") else shared_clients.alike(kind, own)


def as_one(model: BaseChatModel, kind: Any) -> BaseChatModel:
    """The same model, with the same state, as one of a class like its own."""
    same: BaseChatModel = object.__new__(kind)  # not by a `__new__` of its own: nothing is to be made anew
    for name in _STATE:
        object.__setattr__(same, name, getattr(model, name))
    return same
