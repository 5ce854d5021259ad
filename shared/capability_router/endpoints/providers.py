"""Known OpenAI-compatible servers: the endpoint for "provider:model" if no native client is installed."""

from __future__ import annotations

import os
from typing import NamedTuple

from capability_router.address import public_url
from capability_router.endpoints.spec import ApiKey, EndpointSpec
from capability_router.errors import ConfigError
from capability_router.nearest import nearest


class Provider(NamedTuple):
    """A provider's Chat Completions URL, and the environment variable of its key ("" = no key).

    `elsewhere`: the variables from which the provider's own clients take another base URL, a gateway's, in order.
    `below`: what the clients add to it.
    """

    base_url: str
    api_key_env: str = ""
    elsewhere: tuple[str, ...] = ()
    below: str = ""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY", ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "google": Provider("https://generativelanguage.googleapis.com/v1beta/openai", "GOOGLE_API_KEY"),
    "groq": Provider(
        "https://api.groq.com/openai/v1", "GROQ_API_KEY", ("GROQ_API_BASE", "GROQ_BASE_URL"), below="/openai/v1"
    ),
    "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY", ("MISTRAL_BASE_URL",)),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", ("DEEPSEEK_API_BASE",)),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", ("OPENROUTER_API_BASE",)),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY"),
    "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY", ("TOGETHER_API_BASE",)),
    "fireworks": Provider("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "cerebras": Provider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "perplexity": Provider("https://api.perplexity.ai", "PERPLEXITY_API_KEY", ("PERPLEXITY_BASE_URL",)),
    "nvidia": Provider("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    "moonshot": Provider("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "zai": Provider("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    "alibaba": Provider("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "minimax": Provider("https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    "huggingface": Provider("https://router.huggingface.co/v1", "HF_TOKEN"),
    "ollama": Provider("http://127.0.0.1:11434/v1"),
    "vllm": Provider("http://127.0.0.1:8000/v1"),
    "lmstudio": Provider("http://127.0.0.1:1234/v1"),
    "llamacpp": Provider("http://127.0.0.1:8080/v1"),
}

ALIASES = {
    "mistralai": "mistral", "google_genai": "google", "gemini": "google", "grok": "xai", "togetherai": "together",
    "fireworks_ai": "fireworks", "hf": "huggingface", "lm_studio": "lmstudio",
    "moonshotai": "moonshot", "moonshot_ai": "moonshot", "kimi": "moonshot", "z_ai": "zai", "zhipu": "zai",
    "zhipuai": "zai", "qwen": "alibaba", "dashscope": "alibaba",
}  # fmt: skip
"""Other frameworks' names for the same provider."""


_HOSTS = frozenset(row.base_url.partition("://")[2].partition("/")[0] for row in PROVIDERS.values())


def known(provider: str) -> Provider | None:
    """The provider's row, or None."""
    name = provider.lower().replace("-", "_").replace(".", "_")
    return PROVIDERS.get(ALIASES.get(name, name))


def is_known(netloc: str) -> bool:
    """Whether it is the host, with its port, of a row."""
    return netloc.lower() in _HOSTS


def without(package: str, base_url: str) -> str:
    """The text that `check` prints for a "provider:model" whose own package is not installed."""
    told = f"{package} is not installed, so the built-in client calls the provider's OpenAI-compatible server"
    return f"{told} at {public_url(base_url)}"


def spec_for(name: str, *, api_key: ApiKey | None = None) -> EndpointSpec:
    """The endpoint of "provider:model"; raises ConfigError for an unknown provider or a missing model."""
    provider, _, model = name.partition(":")
    row = known(provider)
    if row is None or not model:
        words = [*PROVIDERS, *ALIASES] if row is None else []
        hint = nearest(provider.lower(), words, f"; known: {', '.join(PROVIDERS)}", tail=":...")
        raise ConfigError(f"{name!r} is not 'provider:model' with a provider that can be reached over HTTP{hint}")
    variable = next((each for each in row.elsewhere if os.environ.get(each, "").strip()), "")
    base_url = os.environ[variable].strip().rstrip("/") + row.below if variable else row.base_url
    try:
        return EndpointSpec(base_url, model, api_key, None if api_key else row.api_key_env or None)
    except ConfigError as error:
        if not variable:
            raise
        raise ConfigError(f"{name!r} takes its base_url from the environment variable {variable}: {error}") from None
