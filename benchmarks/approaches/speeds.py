"""How fast models are: median seconds to the first token and tokens per second, each with where it is from.

Published figures were looked up in stored copies of the pages; where none was found a model has the figure of its size,
and says so. Medians say nothing of the spread: it is that of the latencies in LLMDrift's log of gpt-4-0314 and
gpt-3.5-turbo-0301 around a straight line in output tokens (standard deviations of the logarithm: 0.35 and 0.38).
"""

from __future__ import annotations

from typing import NamedTuple

SPREAD = 0.35
PREFILL_PER_S = 20_000.0
"""Input tokens read per second, the same for all models: an assumption, no figure was found."""
_AA = "artificialanalysis.ai/models/"
_BLOG = "toolbaz.com/blog/comparison-of-gpt-4o-llama-3-mistral-and-gemini"
_SMALL, _LARGE = "size of up to 14B: assumed", "size of 49B to 72B: assumed"


class Speed(NamedTuple):
    """Seconds, tokens per second, source."""

    ttft_s: float
    tokens_per_s: float
    source: str


SPEEDS = {
    "gemini-1.5-flash": Speed(0.41, 192.0, f"{_AA}gemini-1-5-flash/providers (AI Studio)"),
    "gemini-1.5-pro": Speed(0.93, 61.6, _BLOG),
    "llama-3.1-70b-instruct": Speed(0.46, 51.5, _BLOG),
    "llama-3.1-8b-instruct": Speed(
        0.49, 216.0, f"cloudprice.net/models (first token); {_AA[:-1]} (Llama 3 8B's tokens per second)"
    ),
    "gpt-4o-2024-08-06": Speed(0.39, 81.0, f"{_AA}gpt-4o-2024-05-13/providers (OpenAI; the version before)"),
    "gpt-4o-mini-2024-07-18": Speed(0.41, 130.4, _BLOG),
    "gpt-3.5-turbo-0125": Speed(0.77, 40.1, "LLMDrift's log of gpt-3.5-turbo-0301, a line fitted to it"),
    "claude-3-5-haiku-20241022": Speed(0.81, 68.0, f"{_AA}claude-3-5-haiku/providers (Amazon's first token)"),
    "claude-3-5-sonnet-20241022": Speed(1.14, 63.0, f"{_AA}claude-3-sonnet/providers (Claude 3 Sonnet, Anthropic)"),
    "claude-3-haiku-20240307": Speed(0.81, 68.0, "as Claude 3.5 Haiku: assumed"),
    "claude-3-opus-20240229": Speed(1.5, 27.0, "half of Claude 3 Sonnet's: assumed"),
    "deepseek-v2.5-0908": Speed(1.14, 27.0, "as the slowest here: assumed"),
    "mistral-large-2": Speed(0.52, 38.0, f"{_AA}mistral-large/providers (the version before)"),
    "qwen2-72b-instruct": Speed(0.34, 49.6, _BLOG),
    "mistral-7b-instruct-v0.2": Speed(0.22, 87.4, f"{_AA}mistral-7b-instruct/providers (Together)"),
    "mistral-7b-instruct-v0.3": Speed(0.22, 87.4, f"{_AA}mistral-7b-instruct/providers (Together)"),
    "mixtral-8x7b-instruct-v0.1": Speed(0.36, 61.0, f"{_BLOG} (Mixtral 8x22B)"),
    "gemma-2-9b-it": Speed(0.3, 165.0, f"{_AA[:-1]} (Gemma 7B's tokens per second; first token assumed)"),
    **dict.fromkeys(("command-r-v01",), Speed(0.15, 100.0, f"{_AA[:-1]} (first token; tokens per second assumed)")),
    **dict.fromkeys(
        ("gemma-2-2b-it", "mathstral-7b", "phi-3-mini-4k-instruct", "qwen1.5-7b-chat", "yi-6b-chat", "codegemma-7b",
         "llama3-chatqa-1.5-8b", "qwen2.5-7b-instruct"),
        Speed(0.3, 120.0, _SMALL),
    ),
    **dict.fromkeys(
        ("jamba-1.5-large", "qwen1.5-72b-chat", "llama3-chatqa-1.5-70b", "llama-3.1-nemotron-51b-instruct",
         "llama-3.3-nemotron-super-49b-v1"),
        Speed(0.46, 50.0, _LARGE),
    ),
}  # fmt: skip
