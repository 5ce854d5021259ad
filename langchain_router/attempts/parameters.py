"""What langchain-core tells handlers of a model's parameters: those of the call, and the same in LangSmith's words.

Of a model whose class leaves both to core, core looks for four fields by `hasattr`, which takes pydantic long to deny,
and puts the filters of warnings aside and back around a method that is deprecated. Here core's own method is asked of a
stand-in, which has those of the four that the model has; and `asdict`, of which the deprecated one gives the result.
Nothing is remembered of a model, for its fields may change; where core's methods are not those that were read, or a
class has one of its own, the model is asked as by core.
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
"""Every name in core's methods, from langchain-core 1.6 to 1.8."""

_told, _called = attrgetter(*_TOLD), attrgetter(*_CALLED)
_ABSENT: Any = object()


def _read(*names: str) -> bool:
    """Whether core's methods of these names are the known ones, and none is wrapped."""
    found = cores(BaseChatModel, names)
    return found is not None and names_in(*found) <= _READ


_DICT = getattr(getattr(BaseChatModel, "dict", None), "__wrapped__", None)  # what is deprecated
_TOLD_BY_CORE = _told(BaseChatModel) if _read(*_TOLD[:2]) else None
_CALLED_BY_CORE = _called(BaseChatModel) if _read(*_CALLED[:2]) and names_in(_DICT) <= _READ else None


def invocation(model: BaseChatModel, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call."""
    if _CALLED_BY_CORE is not None and _called(type(model)) == _CALLED_BY_CORE:
        return {**model.asdict(), "stop": stop, **kwargs}
    return model._get_invocation_params(stop=stop, **kwargs)


def in_langsmiths_words(model: BaseChatModel, stop: list[str] | None, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same as LangSmith names them."""
    by_core = _TOLD_BY_CORE is not None and _told(type(model)) == _TOLD_BY_CORE
    asked = _stand_in(model) if by_core else model
    params: Mapping[str, Any] = asked._get_ls_params_with_defaults(stop=stop, **kwargs)
    return params


def _stand_in(model: BaseChatModel) -> Any:
    """Of a class of the same name, with core's methods and what the model has of the fields for which they look."""
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
    """The stand-in's class, which of the fields the model's class has by itself, and whether its models take others."""
    methods = {name: getattr(BaseChatModel, name) for name in _TOLD[:2]}
    own = frozenset(name for name in _FIELDS if hasattr(kind, name))
    return type(kind.__name__, (), methods), own, kind.model_config.get("extra") == "allow"
