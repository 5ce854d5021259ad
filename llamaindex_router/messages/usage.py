"""Reads token counts and terminal reasons from wherever a LlamaIndex integration puts them.

OpenAI: `raw.usage`; Anthropic: the stream's last raw events and `message.additional_kwargs`; Google:
`raw["usage_metadata"]`; Ollama: `raw["usage"]` and `done_reason`; Bedrock: camelCase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from capability_router.endpoints.usage import has_negative_count, usage_from
from capability_router.faults.error_event import ErrorEvent
from capability_router.money.bill import billed
from capability_router.request import ENDS, Finish, Usage, service_tier
from llamaindex_router.messages.fields import field, possible_fields

_INPUT = (
    "prompt_tokens", "input_tokens", "prompt_token_count", "inputTokens", "prompt_eval_count", "input_token_count",
)  # fmt: skip
_OUTPUT = (
    "completion_tokens", "output_tokens", "candidates_token_count", "outputTokens", "eval_count",
    "generated_token_count",
)  # fmt: skip
_READ = ("cache_read_input_tokens", "cacheReadInputTokens")  # not part of the input count
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")  # likewise
_PARTS = ("usage", "usage_metadata", "usageMetadata")
_DEEPER = ("meta", "results", "metadata")
"""Cohere's billed tokens, without those that it adds to a prompt; watsonx's results of a completion; the last event of
a Bedrock stream."""
_DIGITS = 12
_TIERS = ("service_tier", "serviceTier", "traffic_type")
_MODALITIES = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image"}
_WHOLE_RAW = ("prompt_token_count", "prompt_eval_count")  # some integrations put the counts into raw itself

_NONE_YET = ("", "null", "not_finished", "finish_reason_unspecified")
"""Values that mean that there is no terminal reason yet: watsonx's and Google's."""
REASONS = ("finish_reason", "stop_reason", "done_reason", "stopReason", "finishReason")
_SAYING = ("message", "delta")
_HOLDERS = ("choices", "candidates", "delta", "messageStop", "results", "output")
_ELSEWHERE = (
    "data", "event_type", "type", "response", "object", "status", "done", "prompt_feedback", "metadata",
    "_hidden_params", "output",
)  # fmt: skip
ASKED = frozenset((*_PARTS, *_DEEPER, *_WHOLE_RAW, *_TIERS, *REASONS, *_HOLDERS, *_ELSEWHERE))
"""Every name that is looked up in a raw reply here."""


def finish_word(word: Any) -> Finish | None:
    """The Finish for a provider's terminal reason; None if there is none."""
    text = getattr(word, "name", word)  # Google's is an enum
    word = text.lower() if isinstance(text, str) else ""
    return None if word in _NONE_YET else ENDS.get(word, Finish.OTHER)


def unwrapped(raw: Any) -> Any:
    """The chunk inside an event: each event of Mistral's SDK contains one, the last one of Cohere's the reply."""
    if type(raw) is dict and raw.get("event_type") == "stream-end":
        return raw.get("response")
    held = field(raw, "data") if raw is not None else None
    return held if held is not None and field(held, "choices") is not None else raw


def finish_of(raw: Any, *kwargs: Mapping[str, Any]) -> Finish | None:
    """The terminal reason in a raw reply or chunk, or in the response's own kwargs."""
    raw = unwrapped(raw)
    if raw is not None and field(raw, "done_reason") == "load":
        return None  # Ollama has loaded the model and answered nothing
    for place in filter(None, (raw, *_held(raw), *kwargs)):
        for name in possible_fields(place, REASONS):
            finish = finish_word(field(place, name))
            if finish is not None:
                return finish
    if (response := _responses(raw)) is not None:
        return _ended(response)
    if raw is not None and field(raw, "done") is True:
        return Finish.STOP  # Ollama's, before it gave reasons
    if raw is not None and field(field(raw, "prompt_feedback"), "block_reason"):
        return Finish.CONTENT_FILTER  # Gemini's, of a prompt that it gives no candidate for
    return _last_of_bedrock(raw.get("metadata")) if type(raw) is dict else None


def _last_of_bedrock(told: Any) -> Finish | None:
    """The terminal reason in the last event of a Bedrock stream; OTHER = the router's client has not added it."""
    if type(told) is not dict or type(told.get("usage")) is not dict or "outputTokens" not in told["usage"]:
        return None
    return finish_word(told.get("stopReason")) or Finish.OTHER


def _responses(raw: Any) -> Any:
    """A reply of OpenAI's Responses API, or the one in an event of its streams; None = it is neither."""
    held = field(raw, "response") if raw is not None and str(field(raw, "type") or "").startswith("response.") else raw
    return held if held is not None and field(held, "object") == "response" else None


def _ended(response: Any) -> Finish | None:
    status = field(response, "status")
    if status == "incomplete":
        filtered = field(field(response, "incomplete_details"), "reason") == "content_filter"
        return Finish.CONTENT_FILTER if filtered else Finish.LENGTH
    return _STATES.get(status)


_STATES = {"completed": Finish.STOP, "failed": Finish.ERROR, "cancelled": Finish.ERROR}


def error_event(raw: Any) -> ErrorEvent | None:
    """The error in a reply or chunk of OpenAI's Responses API; None = there is none."""
    kind = field(raw, "type") if raw is not None else None
    if kind == "error":
        return _error(raw)
    if kind == "response.failed" or (kind is None and _failed(raw)):
        return _error(field(field(raw, "response") or raw, "error"))
    return None


def _error(told: Any) -> ErrorEvent:
    return ErrorEvent("") if told is None else ErrorEvent(str(field(told, "code") or ""), field(told, "message"))


def _failed(raw: Any) -> bool:
    return raw is not None and field(raw, "object") == "response" and field(raw, "status") == "failed"


def _declines(response: Any) -> bool:
    parts = [part for item in field(response, "output") or () for part in field(item, "content") or ()]
    return any(field(part, "type") == "refusal" for part in parts)


def _held(raw: Any) -> Iterator[Any]:
    for name in possible_fields(raw, _HOLDERS) if raw is not None else ():
        inner = field(raw, name)
        if name == "output":  # what DashScope's SDK has around the choices
            inner = field(inner, "choices") if isinstance(inner, Mapping) else None
        yield from inner[:1] if isinstance(inner, (list, tuple)) else (() if inner is None else (inner,))


def refuses(raw: Any) -> bool:
    """Whether the raw reply or chunk contains OpenAI's refusal, beside the content or as a block of it."""
    if (response := _responses(raw)) is not None:
        return _declines(response)
    choices = field(raw, "choices") if raw is not None else None
    choice = choices[0] if isinstance(choices, (list, tuple)) and choices else None
    for name in _SAYING if choice is not None else ():
        part = field(choice, name)
        told = None if part is None else field(part, "refusal")
        if told and isinstance(told, str):
            return True
    return False


def counts_of(raw: Any, *kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The counts in this response under the provider's own names; {} if there are none."""
    raw = unwrapped(raw)
    for place in filter(None, (raw, *kwargs)):
        for name in possible_fields(place, _PARTS):
            if (counts := field(place, name)) is not None and (counts := _plain(counts)):
                return counts
    if raw is not None and (counts := _deeper(raw)):
        return counts
    flat = next((k for k in kwargs if k and any(_count(k.get(n)) is not None for n in _INPUT)), None)
    if flat is not None:
        return {n: _count(v) for n, v in flat.items() if n in _INPUT or n in _OUTPUT}
    if raw is None or not any(field(raw, name) for name in possible_fields(raw, _WHOLE_RAW)):
        return {}
    return _flat(raw)


def _deeper(raw: Any) -> dict[str, Any]:
    """Cohere's billed counts, those of watsonx's first result, or those of a Bedrock stream."""
    for name in possible_fields(raw, _DEEPER):
        if (held := field(raw, name)) and (counts := _beneath(held)):
            return counts
    return {}


def _beneath(held: Any) -> dict[str, Any]:
    if isinstance(held, list):
        return _flat(held[0])
    usage = held.get("usage") if type(held) is dict else None
    return _plain(usage if type(usage) is dict and "inputTokens" in usage else field(held, "billed_units"))


def _flat(told: Any) -> dict[str, Any]:
    return {name: count for name in (*_INPUT, *_OUTPUT) if (count := field(told, name)) is not None}


def _count(told: Any) -> int | None:
    """A count; in Bedrock's headers it is a text."""
    told = int(told) if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) <= _DIGITS else told
    return told if isinstance(told, int) else None


def _plain(counts: Any) -> dict[str, Any]:
    if counts is None or isinstance(counts, (str, bytes)):
        return {}
    # What a client's class doesn't know, such as a gateway's bill, stands apart from its fields.
    mapped = isinstance(counts, Mapping)  # of DashScope's SDK, one whose missing attributes are KeyErrors
    extra = {} if mapped else getattr(counts, "model_extra", None) or {}
    found = counts if mapped else {**(getattr(counts, "__dict__", None) or {}), **extra}
    return {name: value for name, value in found.items() if value is not None}


def tier_of(raw: Any) -> str:
    """The service tier in a raw reply or chunk: beside its counts or among them."""
    if raw is None:
        return ""
    places = [raw, *[part for name in possible_fields(raw, _PARTS) if (part := field(raw, name)) is not None]]
    told = [
        word for place in places for name in possible_fields(place, _TIERS) if (word := field(place, name)) is not None
    ]
    return next((tier for word in told if (tier := service_tier(word))), "") if told else ""


def bill_of(raw: Any, counts: Mapping[str, Any]) -> Decimal | None:
    """The provider's own bill, among the counts or where the litellm package puts it."""
    hidden = field(raw, "_hidden_params")
    if hidden:
        return billed({"cost": field(hidden, "response_cost")})
    return billed(counts) if counts else None


def usage_of(counts: Mapping[str, Any], tier: str = "") -> Usage | None:
    """The counts as a Usage: the input with cached tokens, the output with reasoning. None if there are none."""
    if not counts or has_negative_count(counts, *_INPUT, *_OUTPUT):
        return None
    chat = "prompt_tokens" in counts and "prompt_token_count" not in counts
    usage = usage_from(_deeply_plain(counts), tier) if chat else _other(counts, tier)
    return usage if usage.input_tokens or usage.output_tokens else None


def _deeply_plain(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The counts with the details, which may be objects of an SDK's class, as mappings."""
    plain = (int, float, str, bool, list, tuple)
    return {k: v if isinstance(v, plain) else _deeply_plain(_plain(v)) for k, v in counts.items() if v is not None}


def _other(counts: Mapping[str, Any], tier: str) -> Usage:
    """The Usage from the counts of Anthropic, Google, Bedrock, Ollama, and OpenAI's Responses API."""
    read, written = _first(counts, _READ), _first(counts, _WRITTEN)
    before = field(counts, "prompt_tokens_details") or field(counts, "input_tokens_details")
    after = field(counts, "candidates_tokens_details") or field(counts, "output_tokens_details")
    cached, thoughts = field(counts, "cache_tokens_details"), _number(counts, "thoughts_token_count")
    return Usage(
        input_tokens=_first(counts, _INPUT) + read + written + _number(counts, "tool_use_prompt_token_count"),
        output_tokens=_first(counts, _OUTPUT) + thoughts,
        cache_read_tokens=read or _number(before, "cached_tokens") or _number(counts, "cached_content_token_count"),
        cache_creation_tokens=written or _number(before, "cache_write_tokens"),
        reasoning_tokens=thoughts or _number(after, "reasoning_tokens") or _number(after, "thinking_tokens"),
        input_audio_tokens=_kind(before, "audio"),
        output_audio_tokens=_kind(after, "audio"),
        cache_creation_1h_tokens=_hour(counts),
        cache_audio_read_tokens=_kind(cached, "audio"),
        cache_image_read_tokens=_kind(cached, "image"),
        input_image_tokens=_kind(before, "image"),
        output_image_tokens=_kind(after, "image"),
        service_tier=tier,
    )


def _kind(details: Any, kind: str) -> int:
    """OpenAI: `audio_tokens`; Google: a list of {modality, token_count}, where a document counts as images."""
    if not isinstance(details, (list, tuple)):
        return _number(details, f"{kind}_tokens")
    return sum(_number(part, "token_count") for part in details if _MODALITIES.get(_word(part)) == kind)


def _word(part: Any) -> str:
    modality = field(part, "modality")
    return str(getattr(modality, "value", modality)).upper()


def _hour(counts: Mapping[str, Any]) -> int:
    """Tokens written to a cache for an hour: Anthropic's, and Bedrock's by their time to live."""
    told = _number(field(counts, "cache_creation"), "ephemeral_1h_input_tokens")
    parts = field(counts, "cacheDetails")
    listed = parts if isinstance(parts, (list, tuple)) else ()
    return told or sum(_number(part, "inputTokens") for part in listed if field(part, "ttl") == "1h")


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((number for name in names if (number := _number(counts, name))), 0)


def _number(thing: Any, name: str) -> int:
    value = None if thing is None else field(thing, name)
    return int(value) if isinstance(value, (int, float)) and isfinite(value) and value > 0 else 0
