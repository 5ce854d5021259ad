"""Reads a hook's answer: the labels found, and the terms that the hook requires itself.

An unreadable answer is reported by what is wrong with it, without its content.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.routing import Routing
from capability_router.screening.requirement import TERMS, LabelRequirement

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}")
_KINDS = ("type", "entity_type")
_KEYS = frozenset((*TERMS, "data", "labels", "block"))
_ASKING = _KEYS - {"data", "labels"}  # a finding may call what it found `data` or `labels`
_MOST = 100_000  # findings


class InvalidFindings(Exception):
    """Why a hook's answer can't be read; without its content."""


class HookFindings(NamedTuple):
    """How often each label was found. `demand`: what the hook itself requires, in addition to the labels' demands."""

    found: Mapping[str, int] = {}
    demand: LabelRequirement | None = None


NOTHING = HookFindings()


def read(given: object) -> HookFindings:
    """None or an empty answer: nothing was found. Raises InvalidFindings.

    A label, or several; findings as LangChain's detectors give them (mappings with `type`), or as objects with `type`
    or `entity_type`; terms, as a mapping or a Routing, with `labels` and `block` beside them.
    """
    if given is None or given == "":
        return NOTHING
    if isinstance(given, HookFindings):
        return given
    if isinstance(given, Routing):
        return HookFindings(demand=_demand(given.stated))
    if isinstance(given, Mapping) and not _kind(given):
        return _asked(given)
    return HookFindings(_labels(given))


def _asked(given: Mapping[Any, Any]) -> HookFindings:
    if not given:
        return NOTHING
    if not _KEYS.issuperset(given):
        raise InvalidFindings(
            f"it gave a mapping with other keys than {', '.join(sorted(_KEYS))}; labels go into a list"
        )
    terms = {name: value for name, value in given.items() if name not in ("labels", "block")}
    block, labels = given.get("block", False), given.get("labels")
    if not isinstance(block, bool):
        raise InvalidFindings("`block` was neither True nor False")
    asks = bool(terms) or block
    return HookFindings(_labels(labels or ()), _demand(terms, block=block) if asks else None)


def _demand(terms: Mapping[str, Any], *, block: bool = False) -> LabelRequirement:
    try:
        return LabelRequirement(LabelRequirement.of(terms).terms, block)
    except ConfigError:
        pass  # its text has the value
    told = f"a screen may state {', '.join(TERMS)}, as in routing(...), and `block` instead of an empty list of models"
    raise InvalidFindings(f"it gave terms that can't be read; {told}")


def _labels(given: object) -> Mapping[str, int]:
    if isinstance(given, str) or _kind(given):
        given = (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise InvalidFindings(f"it gave a {type(given).__name__}; give None, labels, findings or terms")
    found: Counter[str] = Counter()
    for number, each in enumerate(given):
        label = _LABEL.fullmatch(each if isinstance(each, str) else _kind(each))
        if label is None:
            raise InvalidFindings("it gave a label that is none: a letter, then up to 63 letters, digits and _ . : / -")
        if number >= _MOST:
            break
        found[label[0]] += 1
    return found


def _kind(finding: object) -> str:
    """The label of one finding; "" = it is not a finding, or requires terms, which a finding can't."""
    if isinstance(finding, Mapping) and any(key in finding for key in _ASKING):
        return ""
    told = finding.get if isinstance(finding, Mapping) else partial(_attribute, finding)
    return next((kind for name in _KINDS if isinstance(kind := told(name), str)), "")


def _attribute(finding: object, name: str) -> object:
    return getattr(finding, name, None)
