"""Which LLMs keep their own temperature: their models reject any other, and their classes set it when they are made."""

from __future__ import annotations

import sys
from typing import Any

from capability_router.sdks.fixed_temperature import refused
from llamaindex_router.fleet.description import homes_of

_OPENAI = "llama_index.llms.openai"


def keeps_own_temperature(llm: Any, temperature: float) -> bool:
    """Whether a router's default is not for this LLM."""
    chain_model = getattr(llm, "chain_model", None)
    if chain_model is not None:
        return refused(chain_model, temperature)
    return _thinks(llm) or (_OPENAI in homes_of(llm) and llm.model in _fixed())


def _thinks(llm: Any) -> bool:
    """Whether Anthropic's extended thinking is on, which its class joins with a temperature of 1."""
    return (getattr(llm, "thinking_dict", None) or {}).get("type") == "enabled"


def _fixed() -> Any:
    """The names for which the integration sets a temperature of 1, whatever it is given."""
    return getattr(sys.modules.get(f"{_OPENAI}.utils"), "O1_MODELS", ())
