"""OpenAI's models: which options they take under another name, which they reject, and which schemas may be strict.

Those that think answer 400 to `max_tokens`, which they call `max_completion_tokens`, and to a temperature other than 1.
Their names tell them, whoever serves them: OpenAI, Azure, or a proxy that passes calls on. A name with a vendor
(`openai/gpt-5`) is a gateway's, which translates both. All other servers get `max_tokens`, for some of them know no
other name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_THINKING = re.compile(r"(?:ft:)?(?:o\d|gpt-[5-9])(?:[-.:].*)?", re.IGNORECASE)
_LONE_CALLS = re.compile(r"o\d.*", re.IGNORECASE)
_LIMIT, _THEIR_LIMIT = "max_tokens", "max_completion_tokens"
_HEAT, _THEIR_HEAT = "temperature", 1
_WORDS = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "description", "title",
})  # fmt: skip
"""The words that a strict schema may have whatever their values; others depend on the model."""


def options_for(model: str, settings: Mapping[str, Any], *asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call as this model takes them: its settings, each overridden by what is asked later.

    A temperature among the settings is left out for a model that rejects it. One that is asked for is sent.
    """
    thinks = _THINKING.fullmatch(model) is not None
    layers = [_renamed(layer) if thinks else layer for layer in (settings, *asked)]
    options = {name: value for layer in layers for name, value in layer.items()}
    if thinks and not any(_HEAT in layer for layer in asked) and _rejects(model, options):
        del options[_HEAT]
    return options


def _renamed(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    if _LIMIT not in layer:
        return layer
    return {_THEIR_LIMIT: layer[_LIMIT], **{name: value for name, value in layer.items() if name != _LIMIT}}


def _rejects(model: str, options: Mapping[str, Any]) -> bool:
    """Whether it rejects this temperature: a chat model takes any, and so does one that is told not to think."""
    free = "chat" in model.lower() or options.get("reasoning_effort") == "none"
    return not free and options.get(_HEAT, _THEIR_HEAT) != _THEIR_HEAT


def one_call(model: str) -> dict[str, bool]:
    """The option by which OpenAI's models make one tool call at most; {} for a model that answers 400 to it."""
    return {} if _LONE_CALLS.fullmatch(model) else {"parallel_tool_calls": False}


def may_be_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI surely takes this JSON schema as strict: closed objects without optional properties."""
    if not _WORDS.issuperset(schema) or _WORDS.isdisjoint(schema.keys() - {"description", "title"}):
        return False
    inner, items = schema.get("properties") or {}, schema.get("items")
    closed = not schema.get("additionalProperties") and set(schema.get("required") or ()) == set(inner)
    if schema.get("type") == "object" and not (inner and closed):
        return False
    return all(map(may_be_strict, [*inner.values(), *(schema.get("anyOf") or ()), *([] if items is None else [items])]))
