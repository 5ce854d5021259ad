"""Which of LangChain's models take no temperature but their own.

Models that think answer 400 to any temperature but 1. ChatOpenAI leaves it out when a model is made, which a copy with
another temperature passes by; other classes send it, although the model's profile says that it is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OWN = 1
"""The value that each of these models has by itself, and takes."""
_CHECKS = "validate_temperature"
"""The name of the validator by which langchain-openai leaves out a temperature; it takes a model's settings."""


def refused(model: Any, temperature: float) -> bool:
    """Whether this chat model of LangChain's is sent no such temperature, unless it was made with one."""
    if temperature == _OWN:
        return False
    profile = getattr(model, "profile", None)
    if isinstance(profile, Mapping) and profile.get("temperature") is False:
        return True
    kind = next((kind for kind in type(model).__mro__ if kind.__name__ == "BaseChatOpenAI"), None)
    check = getattr(kind, _CHECKS, None)
    return check is not None and "temperature" not in check(_settings(model, temperature))


def _settings(model: Any, temperature: float) -> dict[str, Any]:
    """What the validator reads, as if the model were made with this temperature."""
    names = ("model_name", "reasoning_effort", "reasoning")
    return {**{name: getattr(model, name, None) for name in names}, "temperature": temperature}
