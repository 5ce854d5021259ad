"""The token counts of a stream, asked for where LlamaIndex's OpenAI does not ask, and the chunk that brings them.

Chat Completions tell no counts in a stream unless `stream_options` say so, and a server that doesn't know these may
refuse the call. So they are added only if OpenAI itself answers, and only if they are not set.
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


def wants_asking(llm: Any, *given: Mapping[str, Any] | None) -> bool:
    """Whether the counts have to be asked for, and the server takes it. `given` are the keywords of the call."""
    if not any((kind.__module__, kind.__name__) == _CLASS for kind in type(llm).__mro__):
        return False
    stated = (getattr(llm, "additional_kwargs", None), *given)
    return not any(keywords and _KEY in keywords for keywords in stated) and _official(llm)


def _official(llm: Any) -> bool:
    """Whether every address that it may call is OpenAI's: its own, and those of clients that it was given."""
    if getattr(llm, "azure_endpoint", None):
        return False
    clients = (client for name in ("_client", "_aclient") if (client := getattr(llm, name, None)) is not None)
    urls = (getattr(llm, "api_base", None), *(getattr(client, "base_url", None) for client in clients))
    return all(urlsplit(str(url)).hostname in _HOSTS for url in urls)


def counts_alone(chunk: Any) -> bool:
    """Whether a streamed response stands for the chunk that has counts and no choices."""
    raw = getattr(chunk, "raw", None)
    return getattr(raw, "choices", None) == [] and getattr(raw, "usage", None) is not None
