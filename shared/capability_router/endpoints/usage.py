"""The counts of a Chat Completions reply, in its dialects.

OpenAI, Groq, xAI     prompt_tokens_details {cached_tokens, audio_tokens, image_tokens, cache_write_tokens}
DeepSeek, Moonshot    prompt_cache_hit_tokens, cached_tokens
LiteLLM's proxy       cache_creation_tokens, and by time to live cache_creation_token_details
Databricks            cache_read_input_tokens, which are among the prompt's here
xAI, Google           reasoning beside the completion, in the total alone
Perplexity            reasoning_tokens and citation_tokens beside the completion and the total
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.request import Usage, service_tier

_READ = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens")
_NOTHING: Mapping[str, Any] = {}
_MOST = 10**15  # more is no count; so is this, but an infinite one is no whole number


def usage_from(usage: Mapping[str, Any], tier: object = None) -> Usage:
    """Token counts: cached ones are part of the input, reasoning ones of the output.

    `tier`: the provider's word for the service tier, if it gives one.
    """
    before, after = _within(usage, "prompt_tokens_details"), _within(usage, "completion_tokens_details")
    cached = _within(before, "cached_tokens_details")
    completion, reasoning = _output(usage, after)
    read, written, hour = cached_in(usage)
    return Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=completion,
        cache_read_tokens=read,
        cache_creation_tokens=written,
        reasoning_tokens=reasoning,
        input_audio_tokens=_count(before, "audio_tokens"),
        output_audio_tokens=_count(after, "audio_tokens"),
        cache_creation_1h_tokens=hour,
        cache_audio_read_tokens=_count(cached, "audio_tokens"),
        cache_image_read_tokens=_count(cached, "image_tokens"),
        input_image_tokens=_count(before, "image_tokens"),
        output_image_tokens=_count(after, "image_tokens"),
        service_tier=service_tier(tier or usage.get("service_tier")),
    )


def has_negative_count(usage: Mapping[str, Any], *names: str) -> bool:
    """Whether one of these counts is below 0: then none of them tells anything."""
    for name in names or ("prompt_tokens", "completion_tokens"):
        count = usage.get(name)
        if isinstance(count, (int, float)) and count < 0:
            return True
    return False


def cached_in(usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of the input: tokens read from a cache, tokens written to one, and those of them that are kept for an hour."""
    before = _within(usage, "prompt_tokens_details")
    return (_count(before, "cached_tokens") or _first(usage, _READ), *_written(usage, before))


def written_out(usage: Usage) -> dict[str, Any]:
    """The counts as OpenAI writes them, for `usage_from` to read; details that are zero are left out."""
    hour = usage.cache_creation_1h_tokens
    kept = {"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": usage.cache_creation_tokens - hour}
    cached = {"audio_tokens": usage.cache_audio_read_tokens, "image_tokens": usage.cache_image_read_tokens}
    before = {
        "audio_tokens": usage.input_audio_tokens, "image_tokens": usage.input_image_tokens,
        "cache_write_tokens": usage.cache_creation_tokens, "cache_creation_token_details": kept if hour else 0,
        "cached_tokens_details": cached if any(cached.values()) else 0,
    }  # fmt: skip
    after = {"audio_tokens": usage.output_audio_tokens, "image_tokens": usage.output_image_tokens}
    return {
        "prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, **{k: v for k, v in before.items() if v}},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens, **{k: v for k, v in after.items() if v},
        },
        **({"service_tier": usage.service_tier} if usage.service_tier else {}),
    }  # fmt: skip


def _output(usage: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[int, int]:
    """All output, and what of it was reasoning."""
    completion, reasoning = _count(usage, "completion_tokens"), _count(after, "reasoning_tokens")
    beside = _count(usage, "total_tokens") - _count(usage, "prompt_tokens") - completion
    if beside > 0 and _is_count(usage.get("prompt_tokens")):
        return completion + beside, reasoning or beside
    if not reasoning and (apart := _count(usage, "reasoning_tokens") + _count(usage, "citation_tokens")):
        counted = apart if "citation_tokens" in usage or apart > completion else 0
        return completion + counted, _count(usage, "reasoning_tokens")
    return completion, reasoning


def _written(usage: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens written to a cache, and those among them that are kept for an hour."""
    kept = _within(before, "cache_creation_token_details") or _within(usage, "cache_creation")
    told = (_first(before, _WRITTEN) if before else 0) or _count(usage, "cache_creation_input_tokens")
    if not kept:
        return told, 0
    hour = _count(kept, "ephemeral_1h_input_tokens")
    return max(told, hour + _count(kept, "ephemeral_5m_input_tokens")), hour


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        if name in counts and (found := _count(counts, name)):
            return found
    return 0


def _within(counts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = counts.get(name)
    return details if details and isinstance(details, Mapping) else _NOTHING


def _is_count(value: object) -> bool:
    """Whether it is a number; JSON readers take NaN, which is equal to nothing."""
    return isinstance(value, (int, float)) and value == value


def _count(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    return int(min(value, _MOST)) if value and isinstance(value, (int, float)) and value > 0 else 0
