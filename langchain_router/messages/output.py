"""What a result of the built-in client holds beside the message, where handlers look for it in ChatOpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.endpoints.wire import Delta


def output_of(delta: Delta, provider: str) -> dict[str, Any]:
    """The `llm_output` of a whole reply, with the server's own counts; None for what it leaves out."""
    raw, counts = delta.raw, delta.raw.get("usage")
    output = {
        "token_usage": dict(counts) if delta.usage and isinstance(counts, Mapping) else None,
        "model_provider": provider, "model_name": delta.model or None,
        "system_fingerprint": raw.get("system_fingerprint"),
    }  # fmt: skip
    return output | {name: raw[name] for name in ("id", "service_tier") if raw.get(name)}


def info_of(delta: Delta) -> dict[str, Any]:
    """The `generation_info` of a whole reply."""
    info: dict[str, Any] = {"finish_reason": delta.finish_raw or None}
    choices = delta.raw.get("choices")
    if choices and "logprobs" in choices[0]:
        info["logprobs"] = choices[0]["logprobs"]
    return info
