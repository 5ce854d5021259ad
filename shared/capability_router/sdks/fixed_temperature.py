"""Which of LangChain's models accept no temperature but their own.

Reasoning models answer 400 to any temperature but 1. ChatOpenAI drops the temperature when a model is made, but not in
a copy with another temperature. Other classes send it even if the model's profile says that it is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OWN = 1
"""The default temperature of each of these models, which they accept."""
_CHECKS = "validate_temperature"
"""The validator in which langchain-openai drops a temperature; it takes a model's settings."""


def refused(model: Any, temperature: float) -> bool:
    """Whether this LangChain chat model must not be sent this temperature, unless it was made with one."""
    if temperature == _OWN:
        return False
    profile = getattr(model, "profile", None)
    if isinstance(profile, Mapping) and profile.get("temperature") is False:
        return True
    kind = next((kind for kind in type(model).__mro__ if kind.__name__ == "BaseChatOpenAI"), None)
    check = getattr(kind, _CHECKS, None)
    return check is not None and "temperature" not in check(_settings(model, temperature))


def _settings(model: Any, temperature: float) -> dict[str, Any]:
    """The settings that the validator reads, as if the model were made with this temperature."""
    names = ("model_name", "reasoning_effort", "reasoning")
    return {**{name: getattr(model, name, None) for name in names}, "temperature": temperature}
