"""What a label requires of the models that may read a text in which it was found. Terms can only become narrower."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.routing import DATA_TERMS, Routing, retention_days

BLOCK, NOTE = "block", "note"
TERMS = ("allow", "deny", "require_tags", *DATA_TERMS)
"""The routing terms that can be required of models: each can only forbid some."""
_ONE_OF = ("allow", "regions")  # a list of what will do; in a request's own terms an empty one says nothing
Meant = Callable[[str], Sequence[str]]
"""The ids of the models that a name may mean."""


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """`terms` by their names in Routing; `block`: no model may read it. With neither, the label is only recorded."""

    terms: Mapping[str, Any] = field(default_factory=dict)
    block: bool = False

    @classmethod
    def of(cls, written: object) -> LabelRequirement:
        """From "block", "note", or a mapping of terms, including `data`. Raises ConfigError."""
        if isinstance(written, LabelRequirement):
            return written
        if written in (BLOCK, NOTE):
            return cls(block=written == BLOCK)
        if not isinstance(written, Mapping):
            raise ConfigError(f"must be {BLOCK}, {NOTE}, or a mapping with keys such as retention, training, regions")
        return cls(_checked(written))


CAREFUL = LabelRequirement({"retention": "zero", "training": False})
"""The demand of a label without a setting."""


def _checked(written: Mapping[Any, Any]) -> dict[str, Any]:
    for name in written:
        if name not in (*TERMS, "data"):
            raise ConfigError(f"unknown term {str(name)!r}{nearest(str(name), (*TERMS, 'data'))}")
    terms = Routing().merged({str(name): value for name, value in written.items()})
    if terms.training:
        raise ConfigError("training: true asks for nothing: what is found can only forbid models")
    for name in _ONE_OF:
        if not getattr(terms, name) and _said(written, name):
            raise ConfigError(f"{name} is an empty list, which no model meets; write `{BLOCK}` if that is meant")
    return {name: value for name in TERMS if (value := getattr(terms, name)) not in (None, ())}


def _said(written: Mapping[Any, Any], name: str) -> bool:
    within = written.get("data")
    return any(isinstance(place, Mapping) and place.get(name) is not None for place in (written, within))


class NarrowedTerms:
    """Routing terms after what was found so far. `asked`: by term, the labels that require it."""

    def __init__(self, terms: Routing, meant: Meant) -> None:
        self.terms, self._meant = terms, meant
        self.asked: dict[str, list[str]] = {}
        self.barred = ""
        """Why no model may read the text; "" = none of what was found says so."""

    def add(self, label: str, demand: LabelRequirement) -> None:
        """This label was found, with this demand."""
        if demand.block:
            self.barred = self.barred or f"the screen found {label}, which is sent to no model"
        for name, value in demand.terms.items():
            held = getattr(self.terms, name)
            narrower = _NARROWER[name](held, value, self._meant)
            if held and narrower == ():  # an empty list would mean that there is no such term
                told = f"{', '.join(value)} alone, and {', '.join(held)} alone"
                self.barred = self.barred or f"the screen found {label}: {name} would be {told}, and none is both"
                continue
            self.terms = replace(self.terms, **{name: narrower})
            self.asked.setdefault(name, []).append(label)

    def told(self) -> str:
        """What is now required: 'retention zero, training False'."""
        return ", ".join(f"{name} {_words(getattr(self.terms, name))}" for name in self.asked)


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _both(held: tuple[str, ...], asked: tuple[str, ...], meant: Meant) -> tuple[str, ...]:
    return tuple(each for each in held if each in asked) if held else asked


def _either(held: tuple[str, ...], asked: tuple[str, ...], meant: Meant) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*held, *asked)))


def _named(held: tuple[str, ...], asked: tuple[str, ...], meant: Meant) -> tuple[str, ...]:
    """For model names, which may be written in several ways."""
    return _both(_ids(held, meant), _ids(asked, meant), meant)


def _ids(names: Iterable[str], meant: Meant) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for name in names for id in meant(name) or (name,)))


def _shorter(held: str | None, asked: str, meant: Meant) -> str:
    return asked if held is None or retention_days(asked) < retention_days(held) else held


def _never(held: bool | None, asked: bool, meant: Meant) -> bool:
    return False


_NARROWER: Mapping[str, Callable[[Any, Any, Meant], Any]] = {
    "allow": _named, "deny": _either, "require_tags": _either, "regions": _both, "retention": _shorter,
    "training": _never,
}  # fmt: skip
