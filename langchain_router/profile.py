"""The profile of a router: what all of its models can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.language_models import ModelProfile

from capability_router.catalog.card import ModelCard

_WINDOWS = ("max_input_tokens", "max_output_tokens")
_CAPABILITIES = (
    "tool_calling", "tool_choice", "structured_output", "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs",
    "reasoning_output",
)  # fmt: skip


def common_profile(cards: Sequence[ModelCard]) -> ModelProfile | None:
    """The smallest window; a capability is no if one card says no, and yes if all say yes.

    LangChain's agents decide by it how to request structured answers. A capability that is unknown for some model is
    left out.
    """
    common: dict[str, Any] = {}
    for name in _WINDOWS:
        stated = [getattr(card, name) for card in cards]
        if all(value is not None for value in stated):
            common[name] = min(stated)
    for name in _CAPABILITIES:
        stated = [getattr(card, name) for card in cards]
        if None not in stated or False in stated:
            common[name] = False not in stated
    if any(_by_either(card.name) for card in cards):
        common["structured_output"] = False
    return cast(ModelProfile, common) if common else None


def _by_either(model: str) -> bool:
    """A Gemini before 3 takes a schema or tools. LangChain's agents know it by its name, which a router's doesn't tell.

    So they ask for the answer's schema as a tool, which all models take.
    """
    name = model.lower()
    return "gemini" in name and "gemini-3" not in name
