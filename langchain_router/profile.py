"""The profile of a router: what all of its models can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from langchain_core.language_models import ModelProfile

from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.router import Router

_WINDOWS = ("max_input_tokens", "max_output_tokens")
_CAPABILITIES = (
    "tool_calling", "tool_choice", "structured_output", "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs",
    "reasoning_output",
)  # fmt: skip


def common_profile(cards: Sequence[ModelCard]) -> ModelProfile | None:
    """The smallest window; a capability is no if one card says no, and yes if all say yes.

    A capability that is unknown for some model is left out.
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
    return cast(ModelProfile, common) if common else None


def for_agents(common: ModelProfile | None, entries: Iterable[Entry]) -> ModelProfile | None:
    """The profile without structured output if a model takes a schema or tools, but not both, as a Gemini before 3.

    LangChain's agents know such a model by its name, which a router's doesn't tell. So they ask for the answer's schema
    as a tool, which all models take.
    """
    return {**(common or {}), "structured_output": False} if any(map(_by_either, entries)) else common


def _by_either(entry: Entry) -> bool:
    router = getattr(entry.source, "router", None)
    if isinstance(router, Router):
        return any(map(_by_either, router.registry))
    name = entry.card.name.lower()
    return "gemini" in name and "gemini-3" not in name
