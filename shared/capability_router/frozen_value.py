"""Frozen values that are quick to make: every request makes a dozen of them.

The `__init__` of `@dataclass(frozen=True)` calls `object.__setattr__`, which looks up each name. The one here first
gives the value a class with the same slots that is not frozen, fills it by plain assignments, and then gives it its own
class. That takes half the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import signature
from itertools import repeat
from typing import Any, TypeVar

V = TypeVar("V")
_TURN = object.__dict__["__class__"].__set__
"""Changes a value's class, bypassing its own `__setattr__`."""


def fast_frozen(cls: type[V]) -> type[V]:
    """A decorator above `@dataclass(frozen=True, slots=True)`.

    Raises TypeError for a class with a `__post_init__`, which would never run, or with a field that its `__init__` does
    not take (`init=False`, `InitVar`, `kw_only`).
    """
    own = fields(cls)  # type: ignore[arg-type]  # a dataclass, by the decorator below this one
    _check(cls, own)
    thawed = type(f"_Thawed{cls.__name__}", cls.__bases__, {"__slots__": cls.__dict__["__slots__"]})
    names: dict[str, Any] = {"_absent": MISSING, "_turn": _TURN, "_thawed": thawed, "_frozen": cls}
    for each in own:
        names[f"_given_{each.name}"] = each.default
        names[f"_make_{each.name}"] = each.default_factory
    head = ", ".join(["self", *map(_parameter, own)])
    body = ("    _turn(self, _thawed)", *map(_assignment, own), "    self.__class__ = _frozen")
    exec("\n".join([f"def __init__({head}):", *body]), names)  # noqa: S102 - of the class's own field names, as dataclass itself does
    made: Callable[..., None] = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {**cls.__init__.__annotations__}
    cls.__init__ = made  # type: ignore[method-assign]  # the same signature, taken from the fields
    cls.__init_subclass__ = classmethod(_no_heirs)  # type: ignore[assignment]  # as its name asks
    return cls


def altered(value: V, **to: Any) -> V:
    """A copy of a quickly made value with other values in some fields, faster than `dataclasses.replace`.

    Raises TypeError for an unknown field.
    """
    kind: Any = type(value)
    names = kind.__slots__
    made: V = kind(**{**dict(zip(names, map(getattr, repeat(value), names), strict=True)), **to})
    return made


def _no_heirs(cls: type[Any]) -> None:
    raise TypeError(
        f"{cls.__qualname__}: nothing may be derived from what is quickly made: its values are of one class"
    )


def _check(cls: type[Any], own: tuple[Field[Any], ...]) -> None:
    if hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__qualname__} has a __post_init__, which would never run: leave out quickly_made")
    taken = [field.name for field in own if field.init and not field.kw_only]
    if taken != [field.name for field in own] or taken != list(signature(cls).parameters):
        raise TypeError(f"{cls.__qualname__}: quickly_made is for classes whose __init__ takes each field in its order")


def _parameter(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        return f"{field.name}=_absent"
    return field.name if field.default is MISSING else f"{field.name}=_given_{field.name}"


def _assignment(field: Field[Any]) -> str:
    name = field.name
    value = name if field.default_factory is MISSING else f"_make_{name}() if {name} is _absent else {name}"
    return f"    self.{name} = {value}"
