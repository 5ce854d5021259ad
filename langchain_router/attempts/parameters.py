"""The parameters of a call for callback handlers, and their LangSmith form: as langchain-core makes them, but faster.

Core looks for four fields by `hasattr`, which is slow in pydantic for a missing field, and changes the warning filters
around a deprecated method. Here core's own method is called on a stand-in object that has only those of the four fields
that the model has, and `asdict` replaces the deprecated method. Nothing is cached for a model, because its fields may
change. If core's methods are not the known ones, or a class overrides one, the model's own method is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from langchain_core.language_models import BaseChatModel

from langchain_router.attempts.plain_call import cores, names_in

_FIELDS = ("model", "model_name", "temperature", "max_tokens")
_TOLD = ("_get_ls_params", "_get_ls_params_with_defaults", "__getattr__", "__getattribute__")
_CALLED = ("_get_invocation_params", "_dict_for_compat", "dict")
_READ = frozenset({
    *_FIELDS, "LangSmithParams", "__class__", "__name__", "_dict_for_compat", "_get_ls_params", "asdict", "dict",
    "endswith", "float", "hasattr", "int", "isinstance", "lower", "startswith", "str",
    "suppress_langchain_deprecation_warning",
})  # fmt: skip
"""Every name that core's methods use, in langchain-core 1.6 to 1.8."""

_told, _called = attrgetter(*_TOLD), attrgetter(*_CALLED)
_ABSENT: Any = object()


def _read(*names: str) -> bool:
    """Whether core's methods of these names are the known ones, and none is wrapped."""
    found = cores(BaseChatModel, names)
    return found is not None and names_in(*found) <= _READ


_DICT = getattr(getattr(BaseChatModel, "dict", None), "__wrapped__", None)  # the deprecated method
_TOLD_BY_CORE = _told(BaseChatModel) if _read(*_TOLD[:2]) else None
_CALLED_BY_CORE = _called(BaseChatModel) if _read(*_CALLED[:2]) and names_in(_DICT) <= _READ else None


def invocation(model: BaseChatModel, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call."""
    if _CALLED_BY_CORE is not None and _called(type(model)) == _CALLED_BY_CORE:
        return {**model.asdict(), "stop": stop, **kwargs}
    return model._get_invocation_params(stop=stop, **kwargs)


def langsmith_params(model: BaseChatModel, stop: list[str] | None, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters under LangSmith's names."""
    by_core = _TOLD_BY_CORE is not None and _told(type(model)) == _TOLD_BY_CORE
    asked = _stand_in(model) if by_core else model
    params: Mapping[str, Any] = asked._get_ls_params_with_defaults(stop=stop, **kwargs)
    return params


def _stand_in(model: BaseChatModel) -> Any:
    """An object of a class of the same name, with core's methods and those of the fields that the model has."""
    kind, of_class, takes_any = _kind(type(model))
    if takes_any:
        return model
    stand_in, own = kind(), vars(model)
    for name in _FIELDS:
        value = getattr(model, name, _ABSENT) if name in of_class else own.get(name, _ABSENT)
        if value is not _ABSENT:
            setattr(stand_in, name, value)
    return stand_in


@lru_cache(maxsize=256)
def _kind(kind: type[BaseChatModel]) -> tuple[type, frozenset[str], bool]:
    """The stand-in's class, the fields that the model's class has, and whether its models accept extra ones."""
    methods = {name: getattr(BaseChatModel, name) for name in _TOLD[:2]}
    own = frozenset(name for name in _FIELDS if hasattr(kind, name))
    return type(kind.__name__, (), methods), own, kind.model_config.get("extra") == "allow"
