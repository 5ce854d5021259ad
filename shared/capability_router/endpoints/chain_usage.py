"""Reads tokens and cost from LangChain's messages: a Usage and the provider's bill.

It is in the core because both adapters need it (RouterLLM takes LangChain's models, too). It reads plain mappings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from math import isnan
from typing import Any, Literal

from capability_router.endpoints.usage import cached_in, usage_from
from capability_router.money.bill import billed
from capability_router.request import TOKENS, Usage, service_tier

_MOST = 10**15  # as in usage.py
_MARKED = ("priority", "flex")
_KEPT = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def counted(told: Mapping[str, Any]) -> Usage:
    """The counts of a message or chunk. A chunk's may be negative, because Gemini corrects earlier ones."""
    into, out = told.get("input_token_details"), told.get("output_token_details")
    if not into and not out:
        return Usage(_whole(told.get("input_tokens")), _whole(told.get("output_tokens")))
    return _detailed(told, _wholes(into), _wholes(out))


def _wholes(details: Any) -> dict[str, int]:
    return {name: _whole(count) for name, count in details.items()} if details and isinstance(details, Mapping) else {}


def _whole(count: Any) -> int:
    """A value as a count; packages pass on whatever a server sent."""
    if type(count) is int:
        return count
    if not isinstance(count, (int, float)) or isnan(count):
        return 0
    return int(min(max(count, -_MOST), _MOST))


Counting = Literal["anew", "on", ""]
"""The meaning of a later chunk's counts: the total so far ("anew") or an increment ("on"); "" = unknown."""


class StreamUsage:
    """The counts of one streamed answer, from the counts in its chunks.

    Servers that report counts with every chunk, as vLLM, SGLang and Perplexity can, or twice at the end, report the
    total so far; some packages pass on only the increment. If it is unknown which, a chunk that repeats the whole
    input count is a total. `again`: there were totals, so the chunks' counts must not be added up.
    """

    __slots__ = ("_counting", "again", "usage")

    def __init__(self, counting: Counting = "") -> None:
        self._counting = counting
        self.usage: Usage | None = None
        self.again = False

    def take(self, now: Usage) -> None:
        """Take in a chunk's counts, in order."""
        before = self.usage
        if before is None:
            self.usage = now
        elif self._anew(before, now):
            self.usage, self.again = now, True
        else:
            self.usage = Usage.together((before, now))

    def _anew(self, before: Usage, now: Usage) -> bool:
        by_shape = 0 < before.input_tokens <= now.input_tokens
        return self._counting == "anew" or (by_shape and not self._counting)


def states(usage: Usage) -> bool:
    """Whether any count is above 0. ChatOpenAI gives zeros for an empty `usage`."""
    return bool(usage.input_tokens or usage.output_tokens) or any(getattr(usage, name) for name in TOKENS)


def usage_in_metadata(metadata: Mapping[str, Any]) -> Usage | None:
    """The counts that only a `response_metadata` has: ChatCohere's of a stream, and what langchain-community has.

    The latter's are the provider's own, under its names. None = there are none.
    """
    told = metadata.get("token_count") or metadata.get("token_usage")
    if not told or not isinstance(told, Mapping):
        return None
    usage = usage_from(told) if "prompt_tokens" in told else counted(told)
    return usage if states(usage) else None


def with_cached(usage: Usage | None, metadata: Mapping[str, Any]) -> Usage | None:
    """The counts with the cached tokens that are only in the provider's own fields of a `response_metadata`.

    ChatOpenAI does not read the fields of DeepSeek, Moonshot and LiteLLM's proxy, and drops them in a stream.
    """
    counts = metadata.get("token_usage")
    if usage is None or not counts or (usage.cache_read_tokens and usage.cache_creation_tokens):
        return usage
    if not isinstance(counts, Mapping):
        return usage
    own_read, own_written, own_hour = cached_in(counts)
    if not (own_read or own_written):  # the usual case
        return usage
    read, written = usage.cache_read_tokens or own_read, usage.cache_creation_tokens or own_written
    same = usage_from(counts).input_tokens == usage.input_tokens
    if not same or not 0 < read + written <= usage.input_tokens:
        return usage
    hour = min(usage.cache_creation_1h_tokens or own_hour, written)
    return replace(usage, cache_read_tokens=read, cache_creation_tokens=written, cache_creation_1h_tokens=hour)


def _detailed(told: Mapping[str, Any], into: Mapping[str, Any], out: Mapping[str, Any]) -> Usage:
    tier = next((tier for tier in _MARKED if tier in into or tier in out), "")
    if tier:  # ChatOpenAI marks the other counts with it
        into, out = _unmarked(into, f"{tier}_"), _unmarked(out, f"{tier}_")
    hour, reasoning = into.get(_KEPT[1], 0), out.get("reasoning", 0)
    # Anthropic states either the sum of what is written or its parts.
    return Usage(
        _whole(told.get("input_tokens")), _whole(told.get("output_tokens")) + _beside(told, out, reasoning),
        into.get("cache_read", 0), into.get("cache_creation") or into.get(_KEPT[0], 0) + hour, reasoning,
        into.get("audio", 0), out.get("audio", 0), hour, into.get("cached_audio", 0),
        into.get("cached_image", 0), into.get("image", 0), out.get("image", 0), tier,
    )  # fmt: skip


def _unmarked(details: Mapping[str, Any], mark: str) -> dict[str, Any]:
    return {name.removeprefix(mark): count for name, count in details.items()}


def details(usage: Usage) -> tuple[dict[str, int], dict[str, int]]:
    """The details of input and output under LangChain's names, and under the router's where it has none."""
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
    """The service tier in a `response_metadata`: beside the counts, or in them, as Anthropic's."""
    word = metadata.get("service_tier") or metadata.get("serviceTier")
    if word is None and (inner := metadata.get("usage")) and isinstance(inner, Mapping):
        word = inner.get("service_tier")
    return service_tier(word) if word else ""


def under(usage: Usage | None, tier: str) -> Usage | None:
    """The counts with a service tier that was reported separately."""
    return usage if usage is None or not tier or usage.service_tier else replace(usage, service_tier=tier)


def cost_of(metadata: Mapping[str, Any], headers: Mapping[str, str], *, stream: bool) -> Decimal | None:
    """The provider's own bill in a `response_metadata`; None = it states none.

    ChatOpenRouter: `cost` and `cost_details`; ChatLiteLLM: `response_cost`; ChatOpenAI: `token_usage`, but not of
    a stream. ChatPerplexity leaves it out.
    """
    if headers and (by_header := billed({}, headers, stream=stream)) is not None:
        return by_header
    for name in ("cost", "response_cost"):
        if metadata.get(name) is not None:
            return billed(metadata if name == "cost" else {"cost": metadata[name]})
    counts = metadata.get("token_usage")
    return billed(counts) if counts and isinstance(counts, Mapping) else None


def _beside(told: Mapping[str, Any], details: Mapping[str, Any], reasoning: int) -> int:
    """Tokens missing in the output count: xAI's reasoning, which is in the total; ChatPerplexity's, and citations."""
    if "citation_tokens" in details:
        return int(details["citation_tokens"]) + reasoning
    in_all = _whole(told.get("input_tokens")) + _whole(told.get("output_tokens")) + reasoning
    return reasoning if reasoning and told.get("total_tokens") == in_all else 0
