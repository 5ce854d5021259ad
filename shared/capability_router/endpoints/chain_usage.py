"""What LangChain's messages say of tokens and cost -> Usage and the provider's bill.

Here because both adapters read such messages (RouterLLM takes LangChain's models, too); plain mappings, no framework.
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
    """The counts of a message or chunk. (A chunk's may be negative: Gemini corrects what it said before.)"""
    into, out = told.get("input_token_details"), told.get("output_token_details")
    if not into and not out:
        return Usage(_whole(told.get("input_tokens")), _whole(told.get("output_tokens")))
    return _detailed(told, _wholes(into), _wholes(out))


def _wholes(details: Any) -> dict[str, int]:
    return {name: _whole(count) for name, count in details.items()} if details and isinstance(details, Mapping) else {}


def _whole(count: Any) -> int:
    """A count, whatever a server sent in its place, which packages pass on as it came."""
    if type(count) is int:
        return count
    if not isinstance(count, (int, float)) or isnan(count):
        return 0
    return int(min(max(count, -_MOST), _MOST))


Counting = Literal["anew", "on", ""]
"""What a later chunk's counts are: those of all so far ("anew"), what came since ("on"); "" = unknown."""


class Tally:
    """The counts of one streamed answer, from what its chunks tell one after the other.

    Servers that tell their counts with every chunk, as vLLM, SGLang and Perplexity can, or twice at the end, tell
    those of all so far; some packages hand on only what is new. Where it isn't known which, a chunk that counts
    the whole input again is of the first kind: an input is read once. `again`: counts were told that may not be added.
    """

    __slots__ = ("_counting", "again", "usage")

    def __init__(self, counting: Counting = "") -> None:
        self._counting = counting
        self.usage: Usage | None = None
        self.again = False

    def take(self, now: Usage) -> None:
        """A chunk's counts, in order."""
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
    """Whether it counts anything: ChatOpenAI makes zeros of a `usage` that the provider left empty."""
    return bool(usage.input_tokens or usage.output_tokens) or any(getattr(usage, name) for name in TOKENS)


def counted_apart(metadata: Mapping[str, Any]) -> Usage | None:
    """The counts that only a `response_metadata` has: ChatCohere's of a stream. None = there are none."""
    told = metadata.get("token_count")
    usage = counted(told) if told and isinstance(told, Mapping) else None
    return usage if usage is not None and states(usage) else None


def with_cached(usage: Usage | None, metadata: Mapping[str, Any]) -> Usage | None:
    """The counts with what only the provider's own words in a `response_metadata` say of its cache.

    ChatOpenAI passes over the names of DeepSeek, Moonshot and LiteLLM's proxy; of a stream it does not pass them on.
    """
    counts = metadata.get("token_usage")
    if usage is None or not counts or (usage.cache_read_tokens and usage.cache_creation_tokens):
        return usage
    if not isinstance(counts, Mapping):
        return usage
    own_read, own_written, own_hour = cached_in(counts)
    if not (own_read or own_written):  # as of most calls
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
    word = metadata.get("service_tier") or metadata.get("serviceTier")
    if word is None and (inner := metadata.get("usage")) and isinstance(inner, Mapping):
        word = inner.get("service_tier")
    return service_tier(word) if word else ""


def under(usage: Usage | None, tier: str) -> Usage | None:
    """The counts under the tier that was told apart from them."""
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
    """What the output leaves out: xAI's reasoning, which the total has; ChatPerplexity's, and its citations."""
    if "citation_tokens" in details:
        return int(details["citation_tokens"]) + reasoning
    in_all = _whole(told.get("input_tokens")) + _whole(told.get("output_tokens")) + reasoning
    return reasoning if reasoning and told.get("total_tokens") == in_all else 0
