"""Known OpenAI-compatible servers: the endpoint for "provider:model" if no native client is installed."""

from __future__ import annotations

from typing import NamedTuple

from capability_router.endpoints.spec import ApiKey, EndpointSpec
from capability_router.errors import ConfigError
from capability_router.nearest import nearest


class Provider(NamedTuple):
    """A provider's Chat Completions URL, and the environment variable of its key ("" = no key)."""

    base_url: str
    api_key_env: str = ""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "google": Provider("https://generativelanguage.googleapis.com/v1beta/openai", "GOOGLE_API_KEY"),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY"),
    "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "fireworks": Provider("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "cerebras": Provider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "perplexity": Provider("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
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


def without(package: str) -> str:
    """The text that `check` prints for a "provider:model" whose own package is not installed."""
    return f"{package} is not installed, so the built-in client calls the provider's OpenAI-compatible server"


def spec_for(name: str, *, api_key: ApiKey | None = None) -> EndpointSpec:
    """The endpoint of "provider:model"; raises ConfigError for an unknown provider or a missing model."""
    provider, _, model = name.partition(":")
    row = known(provider)
    if row is None or not model:
        words = [*PROVIDERS, *ALIASES] if row is None else []
        hint = nearest(provider.lower(), words, f"; known: {', '.join(PROVIDERS)}", tail=":...")
        raise ConfigError(f"{name!r} is not 'provider:model' with a provider that can be reached over HTTP{hint}")
    return EndpointSpec(row.base_url, model, api_key, None if api_key else row.api_key_env or None)
