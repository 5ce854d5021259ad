"""Small made-up lists of models, true to the form of those that are published."""

from __future__ import annotations

from typing import Any

LITELLM: dict[str, Any] = {
    "sample_spec": {"mode": "one of: chat, embedding", "litellm_provider": "one of https://docs.litellm.ai"},
    "gpt-5-mini": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 272000,
        "max_output_tokens": 128000,
        "input_cost_per_token": 3e-07,
        "output_cost_per_token": 2.4e-06,
        "cache_read_input_token_cost": 3e-08,
        "input_cost_per_token_batches": 1.5e-07,
        "output_cost_per_token_batches": 1.2e-06,
        "supports_function_calling": True,
        "supports_vision": True,
        "supports_response_schema": True,
        "deprecation_date": "2027-01-31",
    },
    "anthropic-like-1": {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "max_input_tokens": 200000,
        "max_output_tokens": 64000,
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06,
        "cache_read_input_token_cost": 3e-07,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
        "supports_pdf_input": True,
        "supports_native_streaming": True,
        "supports_parallel_function_calling": False,
        "supported_modalities": ["text", "image"],
        "reasoning_effort_levels": ["low", "high"],
    },
    "gemini/gemini-like-1": {
        "litellm_provider": "gemini",
        "mode": "chat",
        "max_input_tokens": 1048576,
        "input_cost_per_token": 3e-07,
        "output_cost_per_token": 2.5e-06,
        "input_cost_per_audio_token": 1e-06,
        "cache_read_input_audio_token_cost": 1e-07,
        "input_cost_per_token_flex": 1.5e-07,
        "output_cost_per_token_flex": 1.25e-06,
        "input_cost_per_token_priority": 5.4e-07,
        "output_cost_per_token_priority": 4.5e-06,
        "output_cost_per_image_token": 3e-05,
    },
    "vertex_ai/gemini-like-1": {"litellm_provider": "vertex_ai", "mode": "chat", "max_input_tokens": 5},
    "somewhere-else/m": {
        "litellm_provider": "somewhere-else",
        "mode": "chat",
        "max_input_tokens": 9,
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 1e-06,
    },
    "text-embedding-3": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-08},
}

MODELS_DEV: dict[str, Any] = {
    "openai": {
        "id": "openai",
        "name": "OpenAI",
        "env": ["OPENAI_API_KEY"],
        "npm": "@ai-sdk/openai",
        "doc": "https://platform.openai.com/docs/models",
        "models": {
            "gpt-5-mini": {
                "id": "gpt-5-mini",
                "name": "GPT-5 Mini",
                "attachment": True,
                "reasoning": True,
                "tool_call": True,
                "structured_output": True,
                "temperature": False,
                "release_date": "2025-08-07",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "open_weights": False,
                "cost": {"input": 0.25, "output": 2, "cache_read": 0.025},
                "limit": {"context": 400000, "input": 272000, "output": 128000},
                "reasoning_options": [{"type": "effort", "values": ["minimal", "low", "medium", "high"]}],
            },
            "text-embedding-3": {"id": "text-embedding-3", "modalities": {"input": ["text"], "output": ["text"]}},
            "gpt-image-1": {"id": "gpt-image-1", "modalities": {"input": ["text"], "output": ["image"]}},
        },
    },
    "google": {
        "id": "google",
        "name": "Google",
        "env": ["GEMINI_API_KEY"],
        "models": {
            "gemini-like-1": {
                "id": "gemini-like-1",
                "reasoning": False,
                "tool_call": False,
                "modalities": {"input": ["text", "image", "audio", "video", "pdf"], "output": ["text"]},
                "cost": {
                    "input": 1.25,
                    "output": 10,
                    "input_audio": 2,
                    "context_over_200k": {"input": 9, "output": 9},
                    "tiers": [{"input": 2.5, "output": 15, "tier": {"type": "context", "size": 200000}}],
                },
                "limit": {"context": 1048576, "output": 65536},
            },
        },
    },
    "elsewhere": {
        "id": "elsewhere",
        "models": {
            "m": {"id": "m", "cost": {"input": 1, "output": 2, "context_over_200k": {"input": 3, "output": 4}}},
        },
    },
}

OPENROUTER: dict[str, Any] = {
    "data": [
        {
            "id": "acme/large-1",
            "canonical_slug": "acme/large-1",
            "name": "Acme: Large 1",
            "created": 1790000000,
            "context_length": 200000,
            "description": "A model.",
            "expiration_date": "2027-02-01",
            "architecture": {
                "modality": "text+image+file->text",
                "input_modalities": ["text", "image", "file"],
                "output_modalities": ["text"],
                "tokenizer": "Other",
                "instruct_type": None,
            },
            "pricing": {
                "prompt": "0.000003",
                "completion": "0.000015",
                "request": "0.01",
                "image": "0.0048",
                "input_cache_read": "0.0000003",
                "input_cache_write": "0.00000375",
                "internal_reasoning": "0",
                "overrides": [
                    {"min_prompt_tokens": 200001, "prompt": "0.000006"},
                    {"utc_start": "00:00", "utc_end": "06:00", "prompt": "0.000001"},
                ],
            },
            "top_provider": {"context_length": 200000, "max_completion_tokens": 64000, "is_moderated": True},
            "per_request_limits": None,
            "supported_parameters": ["max_tokens", "tools", "tool_choice", "response_format"],
            "reasoning": {
                "mandatory": False,
                "supported_efforts": ["high", "medium", "low"],
                "default_effort": "medium",
            },
        },
        {
            "id": "acme/small-1:free",
            "context_length": 32000,
            "architecture": {"output_modalities": ["text"]},
            "pricing": {"prompt": "0", "completion": "0"},
            "supported_parameters": [],
        },
        {"id": "openrouter/auto", "context_length": 2000000, "pricing": {"prompt": "-1", "completion": "-1"}},
        {
            "id": "acme/painter",
            "architecture": {"output_modalities": ["image"]},
            "pricing": {"prompt": "0.1", "completion": "0"},
        },
    ]
}
