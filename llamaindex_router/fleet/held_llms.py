"""The LLMs that an LLM holds in its fields and calls itself, as CloudflareAIGateway and StructuredLLM do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llama_index.core.llms.llm import LLM

Prepare = Callable[[LLM], LLM]


def held_llms(llm: LLM, prepare: Prepare) -> dict[str, Any]:
    """The fields with LLMs that `prepare` replaces by others, and what they hold then."""
    fields = {name: llm.__dict__.get(name) for name in type(llm).model_fields}
    replaced = {name: _prepared(held, prepare) for name, held in fields.items()}
    return {name: held for name, held in replaced.items() if held is not None}


def _prepared(held: Any, prepare: Prepare) -> Any:
    """The LLM, or the list of LLMs, with what is prepared of each; None if nothing in it changes."""
    if isinstance(held, LLM):
        other = prepare(held)
        return None if other is held else other
    if not isinstance(held, list):
        return None
    others = [prepare(one) if isinstance(one, LLM) else one for one in held]
    return others if any(other is not one for other, one in zip(others, held, strict=True)) else None
