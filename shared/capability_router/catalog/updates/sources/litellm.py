"""litellm's list (model_prices_and_context_window.json): USD per token, flags that are often left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from capability_router.catalog.aliases import canonical
from capability_router.catalog.updates.sources.listing import Fields, Models, known, mtok, priced, tokens

NAME = "litellm"
URL = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"

_VERTEX = ("", "anthropic", "mistral", "llama", "deepseek", "qwen", "zai", "openai", "minimax", "moonshot", "ai21")
_PROVIDERS = {
    **{f"vertex_ai-{maker}_models" if maker else "vertex_ai": ("google", "vertex_ai/") for maker in _VERTEX},
    "vertex_ai-language-models": ("google", ""),
    "bedrock_converse": ("bedrock", ""),
    "amazon_nova": ("bedrock", "amazon-nova/"),
    "codestral": ("mistral", "codestral/"),
    "qwencloud": ("alibaba", "qwencloud/"),
    "qwen_ai_platform": ("alibaba", "qwen_ai_platform/"),
}
"""litellm's provider -> (ours, the prefix of its keys), where they are not simply its canonical name and itself."""

_ONE_SEGMENT = frozenset({"openai", "anthropic", "mistral", "xai", "deepseek", "cohere", "azure", "bedrock"})
"""Providers whose own names have no slash: one with a slash is a region's or a reseller's variant."""

FLAGS = {
    "supports_function_calling": "tool_calling", "supports_tool_choice": "tool_choice",
    "supports_parallel_function_calling": "parallel_tool_calling", "supports_response_schema": "structured_output",
    "supports_vision": "image_inputs", "supports_pdf_input": "pdf_inputs", "supports_audio_input": "audio_inputs",
    "supports_video_input": "video_inputs", "supports_reasoning": "reasoning_output",
    "supports_native_streaming": "streaming",
}  # fmt: skip
"""Their flag -> our card field."""
# Not `supports_assistant_prefill`: with some providers it needs a parameter or an address of its own.
_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_USUAL = ("low", "medium", "high")
_MODALITIES = {"image": "image_inputs", "audio": "audio_inputs", "video": "video_inputs", "pdf": "pdf_inputs"}
_RATES = {
    "input_cost_per_token": "input_mtok", "output_cost_per_token": "output_mtok",
    "cache_read_input_token_cost": "cache_read_mtok", "cache_creation_input_token_cost": "cache_write_mtok",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_mtok",
    "input_cost_per_audio_token": "input_audio_mtok", "output_cost_per_audio_token": "output_audio_mtok",
    "cache_read_input_audio_token_cost": "cache_audio_read_mtok",
    "input_cost_per_image_token": "input_image_mtok", "output_cost_per_image_token": "output_image_mtok",
}  # fmt: skip
_SERVICES = {"batches": "batch", "flex": "flex", "priority": "priority"}
RATE = re.compile(
    rf"^({'|'.join(sorted(_RATES, key=len, reverse=True))})(?:_above_(\d+)k_tokens)?(?:_({'|'.join(_SERVICES)}))?$"
)
_OUT = re.compile(r"^(together-ai-|bedrock_mantle/|.*(-exp-|lyria|-tts|/container$|/sam-))")
_NO_SERVICE = ""
_WRITES = ("cache_write_mtok", "cache_write_1h_mtok")

Steps = dict[int, Fields]
"""Input tokens above which they hold -> rates."""


def fits(data: Any) -> bool:
    """Whether this looks like litellm's list."""
    rows = list(data.values())[:50] if isinstance(data, dict) else []
    return any(isinstance(row, dict) and "litellm_provider" in row for row in rows)


def read(data: Mapping[str, Any]) -> Models:
    """Every model that chats."""
    models: Models = {}
    for key, said in sorted(data.items(), key=_of_another):
        if not isinstance(said, Mapping) or said.get("mode") not in ("chat", "responses") or _OUT.match(key):
            continue
        provider, name = _home(key, str(said.get("litellm_provider", "")))
        if provider and name and name not in models.setdefault(provider, {}):
            models[provider][name] = _fields(said)
    return models


def _of_another(item: tuple[str, Any]) -> bool:
    """Whether it is another door to a provider's models: its word counts only where the provider's own has none."""
    return isinstance(item[1], Mapping) and str(item[1].get("litellm_provider")) in _PROVIDERS


def _home(key: str, theirs: str) -> tuple[str, str]:
    """Our provider and model of one of their keys; ('', '') for a variant that is left out."""
    provider, prefix = _PROVIDERS.get(theirs, (canonical(theirs), f"{theirs}/"))
    name = key.removeprefix(prefix)
    return (provider, name) if not ("/" in name and provider in _ONE_SEGMENT) else ("", "")


def _fields(said: Mapping[str, Any]) -> Fields:
    flags = {ours: said[theirs] for theirs, ours in FLAGS.items() if isinstance(said.get(theirs), bool)}
    listed = said.get("supported_modalities")
    inputs = {ours: True for kind, ours in _MODALITIES.items() if isinstance(listed, list) and kind in listed}
    return known({
        "window": tokens(said.get("max_input_tokens")) or tokens(said.get("max_tokens")),
        "max_output_tokens": tokens(said.get("max_output_tokens")),
        **inputs, **flags,
        "reasoning_effort_levels": _levels(said),
        "price": price(said),
        "retires": said.get("deprecation_date"),
    })  # fmt: skip


def _levels(said: Mapping[str, Any]) -> list[str] | None:
    """The list; else by a flag each, when it is told of every level that not all reasoning models have."""
    listed = said.get("reasoning_effort_levels")
    if isinstance(listed, list):
        return listed
    flags = {level: said.get(f"supports_{level}_reasoning_effort", level in _USUAL or None) for level in _LEVELS}
    if said.get("supports_reasoning") is not True or None in flags.values():
        return None
    return [level for level, flag in flags.items() if flag is True]


def price(said: Mapping[str, Any]) -> Fields | None:
    """The plain price with its tiers and service tiers; None when a side is missing or both are 0."""
    steps = _stepped(said) or _flat(said)
    standard = steps.get(_NO_SERVICE, {})
    plain = priced(standard.get(0, {}))
    if plain is None:
        return None
    request = mtok(said.get("input_cost_per_request"), per=1_000_000)
    services = {name: _service(standard, own, plain) for name, own in steps.items() if name}
    return known({**plain, "per_request": request, "tiers": _tiers(standard, plain), "services": known(services)})


def _flat(said: Mapping[str, Any]) -> dict[str, Steps]:
    steps: dict[str, Steps] = {}
    for key, value in said.items():
        found = RATE.match(key)
        rate = mtok(value) if found else None
        if found and rate is not None:
            own = steps.setdefault(_SERVICES.get(found[3] or "", _NO_SERVICE), {})
            own.setdefault(int(found[2] or 0) * 1_000, {})[_RATES[found[1]]] = rate
    return steps


def _stepped(said: Mapping[str, Any]) -> dict[str, Steps]:
    """A list of ranges instead of keys; {} when there is none. What stands beside it holds for the first range."""
    listed = said.get("tiered_pricing")
    if not isinstance(listed, list) or not all(
        isinstance(step, Mapping) and _begins(step) is not None for step in listed
    ):
        return {}
    own: Steps = {}
    for step in listed:
        own[_begins(step) or 0] = {_RATES[k]: mtok(v) for k, v in step.items() if k in _RATES}
    beside = _flat(said).get(_NO_SERVICE, {}).get(0, {})
    own[0] = {**own.get(0, {}), **beside}
    return {_NO_SERVICE: own}


def _begins(step: Mapping[str, Any]) -> int | None:
    """Where its range begins; None for what is no range."""
    span = step.get("range")
    first = span[0] if isinstance(span, list) and span else None
    return tokens(first) or 0 if first == 0 or tokens(first) else None


def _tiers(steps: Steps, plain: Fields) -> list[Fields]:
    """What a tier does not name stays at the plain price."""
    made = ((above, {**plain, **(priced({**plain, **rates}) or {})}) for above, rates in sorted(steps.items()) if above)
    return [{"above": above, "price": price} for above, price in made if price != plain]


def _service(standard: Steps, own: Steps, plain: Fields) -> Fields | None:
    """A service tier's price. What it does not name costs what it costs without it, in each tier."""
    base = priced(_under(plain, own.get(0, {})))
    if base is None or not {"input_mtok", "output_mtok"} & own.get(0, {}).keys():
        return None
    steps = {above: _under(standard.get(above, {}), own.get(above, {})) for above in _bounds(standard, own)}
    return known({**base, "tiers": _tiers(steps, base)})


def _under(usual: Fields, own: Fields) -> Fields:
    """The usual rates under a service's own; a write for an hour that it does not name changes as the plain one."""
    rates, (write, hour) = {**usual, **own}, (usual.get(name) for name in _WRITES)
    if write and hour and _WRITES[0] in own and _WRITES[1] not in own:
        rates[_WRITES[1]] = mtok(hour * own[_WRITES[0]] / write, per=1_000_000)
    return rates


def _bounds(*steps: Steps) -> Iterator[int]:
    yield from sorted({above for each in steps for above in each if above})
