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


def alike(kind: Any, own: Mapping[str, Any]) -> Any:
    """A class of the same name with these methods; None where it can't be derived from. It takes milliseconds."""
    try:
        return type(kind)(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **own})
    except Exception as error:  # noqa: BLE001 - whatever forbids it: the model is called as core would
        _log.debug("%s is called as it is (%s)", kind.__name__, type(error).__name__)
        return None


def as_one(model: BaseChatModel, kind: Any) -> BaseChatModel:
    """The same model, with the same state, as one of a class like its own."""
    same: BaseChatModel = kind.__new__(kind)
    for name in _STATE:
        object.__setattr__(same, name, getattr(model, name))
    return same
