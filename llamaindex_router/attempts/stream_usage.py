"""Requests the token counts of a stream where LlamaIndex's OpenAI does not, and recognises the chunk with them.

Chat Completions report no counts in a stream unless `stream_options` are set, and a server that doesn't know these may
reject the call. So they are added only for OpenAI's own server, and only if they are not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

ASKED: Mapping[str, Any] = MappingProxyType({"stream_options": {"include_usage": True}})
_HOSTS = ("api.openai.com",)
_CLASS = ("llama_index.llms.openai.base", "OpenAI")
_KEY = "stream_options"


def needs_usage_option(llm: Any, *given: Mapping[str, Any] | None) -> bool:
    """Whether the counts must be requested, and the server supports it. `given`: the keywords of the call."""
    if not any((kind.__module__, kind.__name__) == _CLASS for kind in type(llm).__mro__):
        return False
    stated = (getattr(llm, "additional_kwargs", None), *given)
    return not any(keywords and _KEY in keywords for keywords in stated) and _official(llm)


def _official(llm: Any) -> bool:
    """Whether every URL that the LLM may call is OpenAI's: its own, and those of clients given to it."""
    if getattr(llm, "azure_endpoint", None):
        return False
    clients = (client for name in ("_client", "_aclient") if (client := getattr(llm, name, None)) is not None)
    urls = (getattr(llm, "api_base", None), *(getattr(client, "base_url", None) for client in clients))
    return all(urlsplit(str(url)).hostname in _HOSTS for url in urls)


def is_usage_chunk(chunk: Any) -> bool:
    """Whether a streamed response is the chunk with token counts and without choices."""
    raw = getattr(chunk, "raw", None)
    return getattr(raw, "choices", None) == [] and getattr(raw, "usage", None) is not None
