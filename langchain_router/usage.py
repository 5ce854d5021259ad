"""What LangChain's messages say of tokens and cost -> the core's Usage and the provider's bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from capability_router.money.bill import billed
from capability_router.request import Usage, service_tier

_PREFIXES = ("", "priority_", "flex_")  # ChatOpenAI marks the counts of a service tier so
_COUNTS = ("cache_read", "cache_creation", "reasoning", "audio", "cached_audio", "cached_image", "image")
_NAMES = {name: tuple(prefix + name for prefix in _PREFIXES) for name in _COUNTS}
_KEPT = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_TIERS = ("service_tier", "serviceTier")


def counted(told: Mapping[str, Any]) -> Usage:
    """The counts of a message or chunk. (A chunk's may be negative: Gemini corrects what it said before.)"""
    into, out = told.get("input_token_details") or {}, told.get("output_token_details") or {}
    if not into and not out:
        return Usage(int(told.get("input_tokens") or 0), int(told.get("output_tokens") or 0))
    written, hour = _written(into)
    tier = next((tier for tier in ("priority", "flex") if tier in into or tier in out), "")
    return Usage(
        input_tokens=int(told.get("input_tokens") or 0),
        output_tokens=int(told.get("output_tokens") or 0) + _beside(out),
        cache_read_tokens=_detail(into, "cache_read"),
        cache_creation_tokens=written,
        reasoning_tokens=_detail(out, "reasoning"),
        input_audio_tokens=_detail(into, "audio"),
        output_audio_tokens=_detail(out, "audio"),
        cache_creation_1h_tokens=hour,
        cache_audio_read_tokens=_detail(into, "cached_audio"),
        cache_image_read_tokens=_detail(into, "cached_image"),
        input_image_tokens=_detail(into, "image"),
        output_image_tokens=_detail(out, "image"),
        service_tier=tier,
    )


def details(usage: Usage) -> tuple[dict[str, int], dict[str, int]]:
    """The input's and the output's details under LangChain's names, and under ours where it has none."""
    hour = usage.cache_creation_1h_tokens
    parts = {_KEPT[0]: usage.cache_creation_tokens - hour, _KEPT[1]: hour}  # ChatAnthropic puts them in the sum's place
    into = {
        "cache_read": usage.cache_read_tokens, "audio": usage.input_audio_tokens,
        "image": usage.input_image_tokens, "cached_audio": usage.cache_audio_read_tokens,
        "cached_image": usage.cache_image_read_tokens,
        **(parts if hour else {"cache_creation": usage.cache_creation_tokens}),
    }  # fmt: skip
    out = {"reasoning": usage.reasoning_tokens, "audio": usage.output_audio_tokens, "image": usage.output_image_tokens}
    return {k: v for k, v in into.items() if v}, {k: v for k, v in out.items() if v}


def tier_of(metadata: Mapping[str, Any]) -> str:
    """The service tier in a `response_metadata`: beside the counts, or, Anthropic's, among them."""
    inner = metadata.get("usage")
    for place in (metadata, inner) if inner and isinstance(inner, Mapping) else (metadata,):
        for name in _TIERS:
            if (word := place.get(name)) and (tier := service_tier(word)):
                return tier
    return ""


def under(usage: Usage | None, tier: str) -> Usage | None:
    """The counts under the tier that was told apart from them."""
    return usage if usage is None or not tier or usage.service_tier else replace(usage, service_tier=tier)


def cost_of(metadata: Mapping[str, Any], headers: Mapping[str, str], *, stream: bool) -> Decimal | None:
    """The provider's own bill in a `response_metadata`; None = it states none.

    ChatOpenRouter: `cost` and `cost_details`; ChatLiteLLM: `response_cost`; ChatOpenAI: `token_usage`, but not of
    a stream. ChatPerplexity leaves it out.
    """
    counts = metadata.get("token_usage")
    inner = counts if counts and isinstance(counts, Mapping) else {}
    for place in (metadata, {"cost": metadata.get("response_cost")}, inner):
        cost = billed(place, headers, stream=stream)
        if cost is not None:
            return cost
    return None


def _detail(details: Mapping[str, Any], name: str) -> int:
    plain, *marked = _NAMES[name]
    count = int(details.get(plain) or 0)
    for each in marked:
        if each in details:
            count += int(details[each] or 0)
    return count


def _written(details: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens written to a cache, and those kept for an hour. Anthropic states either the sum or its parts."""
    five, hour = (int(details.get(name) or 0) for name in _KEPT)
    return _detail(details, "cache_creation") or five + hour, hour


def _beside(details: Mapping[str, Any]) -> int:
    """ChatPerplexity's reasoning and citations, which its output tokens leave out."""
    if details.get("citation_tokens") is None:
        return 0
    return int(details["citation_tokens"]) + int(details.get("reasoning") or 0)
