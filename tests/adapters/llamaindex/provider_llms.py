"""LlamaIndex's own LLMs of four providers, pointed at loopback."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from google.genai.types import HttpOptions
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.ollama import Ollama

KEY = "secret-0123456789"
NAMES = {"anthropic": "claude-sonnet-4-0", "google": "gemini-2.5-flash", "ollama": "llama3", "openai": "ok"}
Make = Callable[..., Any]
"""(provider, kind="ok") -> an LLM; `kind` is how its server behaves."""


def need_anthropic() -> None:
    """Skip where the integration can't send."""
    if int(version("anthropic").partition(".")[0]) >= 1:
        pytest.skip("llama-index-llms-anthropic can't send with anthropic 1 and later: run `make test-lowest` for it")


def made(provider: str, url: str) -> Any:
    """An LLM with the retries of its own that its class has."""
    name = NAMES[provider]
    if provider == "anthropic":
        need_anthropic()
        return Anthropic(model=name, api_key=KEY, base_url=url)
    if provider == "google":
        return GoogleGenAI(model=name, api_key=KEY, http_options=HttpOptions(base_url=url))
    return Ollama(model=name, base_url=url, headers={"authorization": f"Bearer {KEY}"})


async def close(llm: Any) -> None:
    if isinstance(llm, GoogleGenAI):
        llm._client.close()
        await llm._client.aio.aclose()
    elif isinstance(llm, Ollama):
        for client in (llm._client, llm._async_client):
            closing = client and client._client
            if closing is not None:
                await closing.aclose() if hasattr(closing, "aclose") else closing.close()
    elif isinstance(llm, Anthropic):
        llm._client.close()
        await llm._aclient.close()
