"""LangChain partner packages' model profiles (from models.dev), read from a wheel as a literal, never imported."""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capability_router.catalog.updates.sources.listing import Fields, known, tokens

PARTNERS = {
    "langchain_openai": "openai", "langchain_anthropic": "anthropic", "langchain_google_genai": "google",
    "langchain_mistralai": "mistral", "langchain_groq": "groq", "langchain_deepseek": "deepseek",
    "langchain_xai": "xai", "langchain_aws": "bedrock", "langchain_fireworks": "fireworks",
    "langchain_perplexity": "perplexity", "langchain_openrouter": "openrouter",
    "langchain_huggingface": "huggingface", "langchain_nvidia_ai_endpoints": "nvidia", "langchain_baseten": "baseten",
}  # fmt: skip
"""Partner package -> our provider."""

_FLAGS = (
    "tool_calling", "tool_choice", "structured_output", "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs",
    "reasoning_output",
)  # fmt: skip
_OUT = re.compile(r"(embed|whisper|-tts|transcribe|rerank|image|live|veo-|lyria)")


def read(wheel: Path) -> dict[str, Fields]:
    """Model -> card fields, of every model that writes text."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data/_profiles.py"))
        tree = ast.parse(archive.read(name))
    value = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None)
    profiles: dict[str, Mapping[str, Any]] = ast.literal_eval(value)
    chats = {n: p for n, p in profiles.items() if p.get("text_outputs") is not False and not _OUT.search(n)}
    return {name: _fields(profile) for name, profile in chats.items()}


def _fields(said: Mapping[str, Any]) -> Fields:
    return known({
        "window": tokens(said.get("max_input_tokens")), "max_output_tokens": tokens(said.get("max_output_tokens")),
        **{name: said[name] for name in _FLAGS if isinstance(said.get(name), bool)},
        "reasoning_effort_levels": list(said.get("reasoning_effort_levels") or ()),
    })  # fmt: skip
