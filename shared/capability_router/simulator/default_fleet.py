"""The built-in fleet: five providers that no one will mistake for real ones."""

from __future__ import annotations

from typing import Any

TIME_SCALE = 0.1

PROVIDERS: tuple[dict[str, Any], ...] = (
    {
        "name": "alder",
        "models": [{
            "name": "alder-nano", "context_window": 16_000, "max_output_tokens": 2_048,
            "price": {"input_mtok": 0.05, "output_mtok": 0.40}, "ttft_s": 0.18, "tokens_per_s": 220,
            "rpm": 3_000, "concurrency": 32, "skill": {"default": 0.66, "classify": 0.9, "math": 0.6},
        }],
    },
    {
        "name": "birch",
        "models": [{
            "name": "birch-mini", "context_window": 128_000, "max_output_tokens": 8_192,
            "price": {"input_mtok": 0.25, "output_mtok": 2.0, "cache_read_mtok": 0.025}, "prompt_cache": True,
            "ttft_s": 0.35, "tokens_per_s": 120, "rpm": 2_000, "tpm": 2_000_000, "concurrency": 24,
            "skill": {"default": 0.86, "classify": 0.95, "tools": 0.92},
        }],
    },
    {
        "name": "cedar",
        "models": [{
            "name": "cedar-large", "context_window": 200_000, "max_output_tokens": 16_384, "image_inputs": True,
            "pdf_inputs": True, "price": {"input_mtok": 2.5, "output_mtok": 15.0, "cache_read_mtok": 0.25},
            "prompt_cache": True, "ttft_s": 0.8, "tokens_per_s": 60, "rpm": 1_000, "concurrency": 16,
            "skill": {"default": 0.97, "tools": 0.98},
        }],
    },
    {
        "name": "dogwood",  # has no tools
        "models": [{
            "name": "dogwood-chat", "context_window": 32_000, "max_output_tokens": 4_096, "tool_calling": False,
            "price": {"input_mtok": 0.10, "output_mtok": 0.30}, "ttft_s": 0.25, "tokens_per_s": 160,
            "rpm": 3_000, "concurrency": 32, "skill": {"default": 0.78, "math": 0.5},
        }],
    },
    {
        "name": "elder",  # a small model without structured output, and one that thinks first
        "models": [
            {
                "name": "elder-8k", "context_window": 8_000, "max_output_tokens": 1_024, "structured_output": False,
                "json_mode": False, "price": {"input_mtok": 0.02, "output_mtok": 0.08}, "ttft_s": 0.12,
                "tokens_per_s": 300, "rpm": 3_000, "concurrency": 32,
                "skill": {"default": 0.55, "classify": 0.85, "math": 0.4},
            },
            {
                "name": "elder-think", "context_window": 200_000, "max_output_tokens": 32_768, "image_inputs": True,
                "reasoning_output": True, "reasoning_tokens": 160,
                "price": {"input_mtok": 1.25, "output_mtok": 10.0, "cache_read_mtok": 0.125}, "ttft_s": 0.6,
                "tokens_per_s": 110, "rpm": 1_000, "concurrency": 16, "skill": {"default": 0.93, "math": 0.99},
            },
        ],
    },
)  # fmt: skip
