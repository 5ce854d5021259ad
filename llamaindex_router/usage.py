"""Tokens and terminal reasons, wherever a LlamaIndex integration leaves them.

OpenAI: `raw.usage`; Anthropic: the stream's last raw events and `message.additional_kwargs`; Google:
`raw["usage_metadata"]`; Ollama: `raw["usage"]` and `done_reason`; Bedrock: camelCase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capability_router.request import Finish, Usage

_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count", "inputTokens", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count", "outputTokens", "eval_count")
_READ = ("cache_read_input_tokens", "cacheReadInputTokens")  # not part of the input count
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")  # likewise
_PARTS = ("usage", "usage_metadata", "usageMetadata")
_WHOLE_RAW = ("prompt_token_count", "prompt_eval_count")  # some integrations put the counts into raw itself

_WORDS = {
    Finish.STOP: ("stop", "end_turn", "stop_sequence", "eos", "complete", "end", "pause_turn"),
    Finish.LENGTH: ("length", "max_tokens", "model_length", "model_context_window_exceeded"),
    Finish.TOOL_CALLS: ("tool_calls", "tool_use", "function_call", "tool_call"),
    Finish.CONTENT_FILTER: (
        "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii",
        "guardrail_intervened",
    ),
    Finish.REFUSAL: ("refusal",),
}  # fmt: skip
_FINISH = {word: finish for finish, words in _WORDS.items() for word in words}
_REASONS = ("finish_reason", "stop_reason", "done_reason", "stopReason", "finishReason")
_HOLDERS = ("choices", "candidates", "delta", "messageStop")


def field(thing: Any, name: str) -> Any:
    """An item of a mapping or an attribute of an object; None when it has none."""
    if type(thing) is dict:
        return thing.get(name)
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def finish_word(word: Any) -> Finish | None:
    """A provider's word for why it stopped, folded; None when there is no word."""
    text = getattr(word, "name", word)  # Google's is an enum
    return _FINISH.get(text.lower(), Finish.OTHER) if isinstance(text, str) and text else None


def finish_of(raw: Any, *kwargs: Mapping[str, Any]) -> Finish | None:
    """The terminal reason in a raw reply or chunk, or in the response's own kwargs."""
    for place in filter(None, (raw, *_held(raw), *kwargs)):
        for name in _REASONS:
            finish = finish_word(field(place, name))
            if finish is not None:
                return finish
    return Finish.STOP if raw is not None and field(raw, "done") is True else None  # Ollama's, before it gave reasons


def _held(raw: Any) -> Iterator[Any]:
    for name in _HOLDERS if raw is not None else ():
        inner = field(raw, name)
        yield from inner[:1] if isinstance(inner, (list, tuple)) else (() if inner is None else (inner,))


def counts_of(raw: Any, *kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The counts this response reports, under the provider's own names; {} when it reports none."""
    for place in filter(None, (raw, *kwargs)):
        for name in _PARTS:
            counts = _plain(field(place, name))
            if counts:
                return counts
    flat = next((k for k in kwargs if any(isinstance(k.get(n), int) for n in _INPUT)), None)
    if flat is not None:
        return {n: v for n, v in flat.items() if n in _INPUT or n in _OUTPUT}
    if raw is None or not any(field(raw, name) for name in _WHOLE_RAW):
        return {}
    return {name: count for name in (*_INPUT, *_OUTPUT) if (count := field(raw, name)) is not None}


def _plain(counts: Any) -> dict[str, Any]:
    if counts is None or isinstance(counts, (str, bytes)):
        return {}
    found = counts if isinstance(counts, Mapping) else getattr(counts, "__dict__", None) or {}
    return {name: value for name, value in found.items() if value is not None}


def usage_of(counts: Mapping[str, Any]) -> Usage | None:
    """The counts under our names: the input with cached tokens, the output with reasoning. None for none."""
    read, written = _first(counts, _READ), _first(counts, _WRITTEN)
    details = field(counts, "prompt_tokens_details") or field(counts, "input_tokens_details")
    given = field(counts, "completion_tokens_details") or field(counts, "output_tokens_details")
    thoughts = _number(counts, "thoughts_token_count")
    usage = Usage(
        input_tokens=_first(counts, _INPUT) + read + written,
        output_tokens=_first(counts, _OUTPUT) + thoughts,
        cache_read_tokens=read or _number(details, "cached_tokens") or _number(counts, "cached_content_token_count"),
        cache_creation_tokens=written,
        reasoning_tokens=thoughts or _number(given, "reasoning_tokens"),
        input_audio_tokens=_number(details, "audio_tokens"),
        output_audio_tokens=_number(given, "audio_tokens"),
    )
    return usage if usage.input_tokens or usage.output_tokens else None


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((number for name in names if (number := _number(counts, name))), 0)


def _number(thing: Any, name: str) -> int:
    value = field(thing, name)
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0
