"""What reads requests before they are planned, and what its findings require: `screen:`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, model_validator

from capability_router.errors import ConfigError
from capability_router.screen import BUILTIN, ScreenHook, hook_of
from capability_router.screening.label_rules import LabelRules
from capability_router.screening.requirement import CAREFUL, NOTE, LabelRequirement
from capability_router.settings.block import Block, Text
from capability_router.settings.units import shown


def _detectors(value: Any) -> tuple[Any, ...]:
    listed = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not listed:
        raise ValueError(f"is an empty list, so nothing would be looked at; leave it out for {BUILTIN}")
    for each in listed:
        if isinstance(each, str) and each != BUILTIN:
            raise ValueError(f"must be {BUILTIN}, or a function given in code (a file names none), got {shown(each)}")
        if each != BUILTIN:
            hook_of(each)
    return listed


def _labels(value: Any) -> dict[str, LabelRequirement]:
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, CAREFUL)
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a list of labels, or a mapping from labels to what they ask for, got {shown(value)}")
    return {str(name): _demand(str(name), written) for name, written in value.items()}


def _demand(name: str, written: Any) -> LabelRequirement:
    try:
        demand = LabelRequirement.of(written)
    except ConfigError as error:
        raise ValueError(f"{name}: {error}") from None
    if demand == LabelRequirement() and written != NOTE:
        raise ValueError(f"{name}: nothing is asked for; write {NOTE} if that is meant, or leave it out of a mapping")
    return demand


class ScreenBlock(Block):
    """`detector`: functions that look, or "builtin"; None = the built-in one. `labels`: what each label asks for.

    `phone_region`: the country whose telephone numbers are found without their +.
    """

    detector: Annotated[tuple[Any, ...] | None, PlainValidator(_detectors)] = None
    labels: Annotated[Mapping[str, LabelRequirement], PlainValidator(_labels)] = {}
    phone_region: Text | None = None

    @model_validator(mode="after")
    def _known(self) -> ScreenBlock:
        if not self.hooks():
            self.rules().check()
        return self

    @property
    def builtin(self) -> bool:
        """Whether the built-in detector looks."""
        return self.detector is None or BUILTIN in self.detector

    def hooks(self) -> tuple[ScreenHook, ...]:
        """Those that were given, without the built-in one."""
        return tuple(hook_of(each) for each in self.detector or () if each != BUILTIN)

    def rules(self) -> LabelRules:
        """What each label asks for."""
        return LabelRules(self.labels)


def expanded_screen(value: Any) -> Any:
    """`screen: true`, a list of labels, a function or a list of them, as the block that each is short for."""
    if isinstance(value, bool):
        return {} if value else None
    listed = value if isinstance(value, (list, tuple)) else (value,)
    if any(callable(each) or each == BUILTIN for each in listed):
        return {"detector": listed}
    return {"labels": listed} if isinstance(value, (list, tuple)) and listed else value
