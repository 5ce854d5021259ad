"""models.dev's list (api.json): provider -> models, USD per million tokens, whole and input windows told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from capability_router.catalog.aliases import canonical
from capability_router.catalog.updates.sources.listing import Fields, Models, known, mtok, priced, tokens

NAME = "models.dev"
URL = "https://models.dev/api.json"

_FLAGS = {"tool_call": "tool_calling", "reasoning": "reasoning_output", "structured_output": "structured_output"}
_INPUTS = {"image": "image_inputs", "pdf": "pdf_inputs", "audio": "audio_inputs", "video": "video_inputs"}
_RATES = {
    "input": "input_mtok", "output": "output_mtok", "cache_read": "cache_read_mtok", "cache_write": "cache_write_mtok",
    "input_audio": "input_audio_mtok", "output_audio": "output_audio_mtok",
}  # fmt: skip
_OUT = re.compile(r"(embed|whisper|transcribe|-tts|rerank|moderation)")


def fits(data: Any) -> bool:
    """Whether this looks like models.dev's list."""
    rows = list(data.values())[:50] if isinstance(data, dict) else []
    return any(isinstance(row, dict) and "id" in row and isinstance(row.get("models"), dict) for row in rows)


def read(data: Mapping[str, Any]) -> Models:
    """Every model that writes text; where two of their providers are one of ours, the one of our name counts."""
    models: Models = {}
    for key, provider in sorted(data.items(), key=lambda item: canonical(item[0]) != item[0]):
        listed = provider.get("models") if isinstance(provider, Mapping) else None
        for name, said in listed.items() if isinstance(listed, Mapping) else ():
            if isinstance(said, Mapping) and _writes(name, said):
                models.setdefault(canonical(key), {}).setdefault(name, _fields(said))
    return models


def _writes(name: str, said: Mapping[str, Any]) -> bool:
    made = _modalities(said, "output")
    return not _OUT.search(name) and (not made or "text" in made)


def _modalities(said: Mapping[str, Any], way: str) -> list[Any]:
    both = said.get("modalities")
    listed = both.get(way) if isinstance(both, Mapping) else None
    return listed if isinstance(listed, list) else []


def _fields(said: Mapping[str, Any]) -> Fields:
    taken = _modalities(said, "input")  # complete where it is given: what it does not name is not taken
    stated = said.get("limit")
    limit: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    return known({
        "context_window": tokens(limit.get("context")), "max_input_tokens": tokens(limit.get("input")),
        "max_output_tokens": tokens(limit.get("output")),
        **{ours: said[theirs] for theirs, ours in _FLAGS.items() if isinstance(said.get(theirs), bool)},
        **({ours: kind in taken for kind, ours in _INPUTS.items()} if taken else {}),
        "reasoning_effort_levels": _levels(said.get("reasoning_options")),
        "price": _price(said.get("cost")),
    })  # fmt: skip


def _levels(options: Any) -> list[str] | None:
    """The values of the option of the type 'effort'."""
    for option in options if isinstance(options, list) else ():
        if isinstance(option, Mapping) and option.get("type") == "effort" and isinstance(option.get("values"), list):
            return [str(value) for value in option["values"] if value is not None]
    return None


def _price(cost: Any) -> Fields | None:
    plain = priced(_rates(cost)) if isinstance(cost, Mapping) else None
    return plain and known({**plain, "tiers": _tiers(cost, plain)})


def _rates(cost: Mapping[str, Any]) -> Fields:
    return {ours: mtok(cost.get(theirs), per=1_000_000) for theirs, ours in _RATES.items()}


def _tiers(cost: Mapping[str, Any], plain: Fields) -> list[Fields]:
    """Tiers by the size of the context; an older list has only the one above 200,000 tokens."""
    stepped = cost.get("tiers")
    listed = [
        (tokens(step["tier"].get("size")), step)
        for step in (stepped if isinstance(stepped, list) else ())
        if isinstance(step, Mapping) and isinstance(step.get("tier"), Mapping) and step["tier"].get("type") == "context"
    ]
    over = cost.get("context_over_200k")
    if not listed and isinstance(over, Mapping):
        listed = [(200_000, over)]
    made = ((above, {**plain, **known(_rates(step))}) for above, step in listed if above)
    return [{"above": above, "price": price} for above, price in made if price != plain]
