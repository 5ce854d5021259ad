"""OpenRouter's list (GET /models): USD per token as texts, what a model takes as lists of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.catalog.updates.sources.listing import Fields, Models, known, mtok, priced, tokens

NAME = "openrouter"
URL = "https://openrouter.ai/api/v1/models"

_PARAMETERS = {
    "tools": "tool_calling", "tool_choice": "tool_choice", "parallel_tool_calls": "parallel_tool_calling",
    "structured_outputs": "structured_output", "response_format": "json_mode", "reasoning": "reasoning_output",
}  # fmt: skip
_INPUTS = {"image": "image_inputs", "file": "pdf_inputs", "audio": "audio_inputs", "video": "video_inputs"}
_RATES = {
    "prompt": "input_mtok", "completion": "output_mtok", "input_cache_read": "cache_read_mtok",
    "input_cache_write": "cache_write_mtok", "input_cache_write_1h": "cache_write_1h_mtok",
    "audio": "input_audio_mtok", "audio_output": "output_audio_mtok", "input_audio_cache": "cache_audio_read_mtok",
    "image_token": "input_image_mtok",
}  # fmt: skip


def fits(data: Any) -> bool:
    """Whether this looks like OpenRouter's list."""
    rows = data.get("data") if isinstance(data, dict) else None
    return isinstance(rows, list) and any(isinstance(r, dict) and "id" in r and "pricing" in r for r in rows[:50])


def read(data: Mapping[str, Any]) -> Models:
    """Every model that writes text, as OpenRouter serves it."""
    rows = (row for row in data["data"] if isinstance(row, Mapping) and isinstance(row.get("id"), str))
    return {"openrouter": {row["id"]: _fields(row) for row in rows if _writes(row)}}


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, Mapping) else {}


def _list(said: Mapping[str, Any], name: str) -> list[Any]:
    part = said.get(name)
    return part if isinstance(part, list) else []


def _writes(said: Mapping[str, Any]) -> bool:
    made = _list(_part(said, "architecture"), "output_modalities")
    return not made or "text" in made


def _fields(said: Mapping[str, Any]) -> Fields:
    takes, accepts = _list(_part(said, "architecture"), "input_modalities"), _list(said, "supported_parameters")
    efforts = [level for level in _list(_part(said, "reasoning"), "supported_efforts") if isinstance(level, str)]
    return known({
        "context_window": tokens(said.get("context_length")),
        "max_output_tokens": tokens(_part(said, "top_provider").get("max_completion_tokens")),
        **({ours: name in accepts for name, ours in _PARAMETERS.items()} if accepts else {}),
        **({ours: kind in takes for kind, ours in _INPUTS.items()} if takes else {}),
        "reasoning_effort_levels": efforts[::-1],  # theirs begin with the highest
        "price": _price(_part(said, "pricing"), free=said["id"].endswith(":free")),
        "retires": said.get("expiration_date"),
    })  # fmt: skip


def _price(pricing: Mapping[str, Any], free: bool) -> Fields | None:
    """None for a price that depends on where a request is sent (theirs is then below 0)."""
    plain = priced(_rates(pricing), free=free)
    if plain is None:
        return None
    request = mtok(pricing.get("request"), per=1_000_000)
    return {**plain, **known({"per_request": request or None, "tiers": _tiers(pricing, plain)})}


def _rates(pricing: Mapping[str, Any]) -> Fields:
    return {ours: mtok(pricing.get(theirs)) for theirs, ours in _RATES.items()}


def _tiers(pricing: Mapping[str, Any], plain: Fields) -> list[Fields]:
    """Overrides that hold above a number of prompt tokens; those of a time of day are left out."""
    made = []
    for step in _list(pricing, "overrides"):
        above = tokens(step.get("min_prompt_tokens")) if isinstance(step, Mapping) else None
        if above and not step.keys() & {"utc_start", "utc_end"}:
            made.append({"above": above - 1, "price": {**plain, **known(_rates(step))}})
    return [tier for tier in made if tier["price"] != plain]
