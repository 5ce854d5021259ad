"""OpenAI's thinking models: which options they take under another name, and which they reject.

They answer 400 to `max_tokens`, which they call `max_completion_tokens`, and to any temperature but 1. Their names tell
them, whoever serves them: OpenAI, Azure, or a proxy that passes calls on. A name with a vendor (`openai/gpt-5`) is a
gateway's, which translates both. All other servers get `max_tokens`, for some of them know no other name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_THINKING = re.compile(r"(?:ft:)?(?:o\d|gpt-[5-9])(?:[-.:].*)?", re.IGNORECASE)
_LIMIT, _THEIR_LIMIT = "max_tokens", "max_completion_tokens"
_HEAT, _THEIR_HEAT = "temperature", 1


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
