"""The many names of one thing: providers, their keys' variables, their hosts, and versions of a model.

Ids keep the name the user wrote; only look-ups and comparisons go through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from capability_router.request import ProviderTool

OTHER_NAMES = {
    "gemini": "google", "google_genai": "google", "google_vertexai": "google", "vertexai": "google",
    "vertex_ai": "google", "googlegenai": "google", "google_ai": "google", "gcp.gemini": "google",
    "mistralai": "mistral", "mistral_ai": "mistral", "x_ai": "xai", "grok": "xai",
    "amazon_bedrock": "bedrock", "bedrock_converse": "bedrock", "anthropic_bedrock": "bedrock",
    "aws_bedrock": "bedrock", "aws.bedrock": "bedrock", "amazon_nova": "bedrock",
    "azure_openai": "azure", "azure_ai": "azure", "azure_ai_openai": "azure", "az.ai.openai": "azure",
    "together_ai": "together", "togetherai": "together", "fireworks_ai": "fireworks",
    "moonshot_ai": "moonshot", "moonshotai": "moonshot", "cohere_chat": "cohere", "open_router": "openrouter",
    "dashscope": "alibaba", "qwen": "alibaba", "tongyi": "alibaba", "zhipuai": "zai", "z_ai": "zai",
    "meta_llama": "meta", "xiaomi_mimo": "xiaomi", "mimo": "xiaomi", "nvidia_nim": "nvidia",
    "nvidia_ai_endpoints": "nvidia", "nv_ai": "nvidia", "hf": "huggingface", "kimi": "moonshot", "hunyuan": "tencent",
    "ark": "volcengine", "doubao": "volcengine", "bytedance": "volcengine", "ibm": "watsonx", "watsonx_ai": "watsonx",
    "cloudflare_workers_ai": "cloudflare", "workers_ai": "cloudflare", "databricks_model_serving": "databricks",
}  # fmt: skip
"""A further name of a provider, as `canonical` folds it -> our name."""

KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "openai": ("OPENAI_API_KEY",), "anthropic": ("ANTHROPIC_API_KEY",),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "mistral": ("MISTRAL_API_KEY",), "groq": ("GROQ_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",), "xai": ("XAI_API_KEY",), "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "azure": ("AZURE_OPENAI_API_KEY",), "bedrock": ("AWS_ACCESS_KEY_ID",), "together": ("TOGETHER_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",), "openrouter": ("OPENROUTER_API_KEY",), "moonshot": ("MOONSHOT_API_KEY",),
    "perplexity": ("PERPLEXITY_API_KEY", "PPLX_API_KEY"), "nvidia": ("NVIDIA_API_KEY",),
    "alibaba": ("DASHSCOPE_API_KEY",), "zai": ("ZAI_API_KEY",), "cerebras": ("CEREBRAS_API_KEY",),
    "minimax": ("MINIMAX_API_KEY",),
}  # fmt: skip
"""Provider -> the environment variables in which its key is looked for, in order."""

_HOSTS = {
    "api.openai.com": "openai", "api.anthropic.com": "anthropic", "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google", "api.mistral.ai": "mistral", "api.groq.com": "groq",
    "api.deepseek.com": "deepseek", "api.x.ai": "xai", "api.cohere.com": "cohere", "api.cohere.ai": "cohere",
    "openai.azure.com": "azure", "api.together.xyz": "together", "api.together.ai": "together",
    "api.fireworks.ai": "fireworks", "openrouter.ai": "openrouter", "api.moonshot.ai": "moonshot",
    "api.perplexity.ai": "perplexity", "integrate.api.nvidia.com": "nvidia", "api.cerebras.ai": "cerebras",
    "dashscope-intl.aliyuncs.com": "alibaba", "dashscope.aliyuncs.com": "alibaba", "api.z.ai": "zai",
    "api.minimax.io": "minimax", "amazonaws.com": "bedrock",
}  # fmt: skip

_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|20\d{6})$")
_SHORT_DATE = re.compile(r"-\d{4}$")  # 'mistral-large-2411', 'grok-4-0709'; may be something else
_BEDROCK_REGION = re.compile(r"^(us|eu|apac|au|jp|ca|us-gov|global)\.")


def canonical(provider: str) -> str:
    """One name per provider: 'google_genai' and 'gemini' are both 'google'."""
    name = provider.strip().lower().replace("-", "_").replace(" ", "_")
    return OTHER_NAMES.get(name, name)


def provider_of(base_url: str) -> str:
    """The provider whose host this URL names; '' for any other (a local server, a gateway)."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((name for known, name in _HOSTS.items() if host == known or host.endswith("." + known)), "")


_MARKED = frozenset({"mistral", "deepseek"})


def marks_beginnings(provider: str) -> bool:
    """Whether it wants the beginning of an answer, which it is to go on with, marked as such: `prefix: true`."""
    return canonical(provider) in _MARKED


_PASS_ON = frozenset({"openrouter"})  # what such a gateway takes depends on the model behind it


def lacking(provider: str, tools: Iterable[ProviderTool]) -> tuple[str, ...]:
    """Those of the tools that this provider does not have; () where nothing is known of it (a gateway, a proxy)."""
    name = canonical(provider)
    if name not in KEY_VARIABLES or name in _PASS_ON:
        return ()
    return tuple(tool.name for tool in tools if name not in tool.homes)


def undated(model: str, *, short: bool = False) -> str:
    """The name without the date at its end; `short`: nor four digits, which often are a date."""
    plain = _DATE.sub("", model)
    return _SHORT_DATE.sub("", model) if short and plain == model else plain


def loose(model: str) -> str:
    """The name without what spellings differ in: letter case, '.' and '_' for '-'."""
    return model.lower().replace(".", "-").replace("_", "-")


def spellings(model: str) -> Iterator[str]:
    """The names under which a catalog may know this model, the surest first.

    A fine-tuned model ('ft:gpt-4o:acme::id') has prices of its own, 'ft:gpt-4o', never its base's.
    """
    plain = model.strip().removeprefix("models/")
    yield plain
    if plain.startswith("ft:"):
        yield ":".join(plain.split(":")[:2])
        return
    local = _BEDROCK_REGION.sub("", plain)
    for name in (local, local.removesuffix("-latest"), undated(local), f"{undated(local)}-latest"):
        if name != plain:
            yield name
