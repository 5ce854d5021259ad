"""The many names of one thing: providers, their keys' variables, their hosts, and versions of a model.

Ids keep the name the user wrote; only look-ups and comparisons go through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from capability_router.request import ProviderTool

_NAMES = {
    "openai": "text_completion_openai",
    "anthropic": "anthropic_text claude",
    "google": "gemini google_genai googlegenai google_ai google_ai_studio google_gla google_vertex google_vertexai "
    "vertexai vertex vertex_ai vertex_ai_beta google_anthropic_vertex gcp_gemini gcp_gen_ai gcp_vertex_ai palm",
    "mistral": "mistralai mistral_ai codestral text_completion_codestral",
    "xai": "x_ai grok",
    "bedrock": "amazon aws amazon_bedrock aws_bedrock amazon_nova bedrock_converse anthropic_bedrock bedrock_mantle "
    "bedrock_mantle_anthropic bedrock_mantle_openai",
    "azure": "azure_openai azureopenai azure_text azure_ai azure_ai_openai az_ai_openai azure_inference "
    "azure_ai_inference az_ai_inference azure_foundry azure_ai_foundry",
    "together": "together_ai togetherai togethercomputer",
    "fireworks": "fireworks_ai fireworksai",
    "moonshot": "moonshot_ai moonshotai kimi",
    "cohere": "cohere_chat",
    "ai21": "ai21_chat",
    "deepseek": "deepseek_ai",
    "perplexity": "perplexity_ai pplx",
    "openrouter": "open_router",
    "alibaba": "dashscope qwen qwencloud qwen_ai_platform tongyi alibabacloud alibaba_cloud aliyun bailian",
    "zai": "z_ai zai_org zhipu zhipuai zhipu_ai chatglm",
    "meta": "meta_llama meta_ai",
    "minimax": "minimaxai minimax_ai",
    "xiaomi": "xiaomi_mimo xiaomimimo mimo",
    "inception": "inceptionlabs inception_labs text_completion_inception",
    "arcee": "arcee_ai",
    "nvidia": "nvidia_nim nvidia_ai_endpoints nv_ai nim",
    "huggingface": "hf hugging_face huggingface_api",
    "tencent": "hunyuan tencent_cloud",
    "volcengine": "ark doubao bytedance bytedance_seed byteplus",
    "watsonx": "ibm watsonx_ai watsonx_text ibm_watsonx_ai ibm_granite",
    "cloudflare": "cloudflare_workers_ai workers_ai",
    "databricks": "databricks_model_serving",
    "snowflake": "snowflake_cortex cortex",
    "friendliai": "friendli",
    "gigachat": "gigachat_ru giga",  # the latter of langchain-gigachat
    "lambda_ai": "lambda",
    "oci": "oci_genai oracle",
    "sambanova": "sambanovacloud sambanovasystems",
}
OTHER_NAMES = {name: provider for provider, names in _NAMES.items() for name in names.split()}
"""Another name of a provider, as `canonical` folds it -> our name."""

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
"""Provider -> the environment variables in which clients look for its key, in order."""

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


@lru_cache(maxsize=1024)  # called for every model in each decision about tools or attached parts
def canonical(provider: str) -> str:
    """One name per provider: 'google_genai' and 'gemini' are both 'google', 'z.ai' and 'zhipuai' both 'zai'."""
    name = provider.strip().lower().replace("-", "_").replace(" ", "_").replace(".", "_")
    return OTHER_NAMES.get(name, name)


def provider_of(base_url: str) -> str:
    """The provider whose host this URL names; '' for any other (a local server, a gateway)."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((name for known, name in _HOSTS.items() if host == known or host.endswith("." + known)), "")


_MARKED = frozenset({"mistral", "deepseek"})


def needs_prefix_mark(provider: str) -> bool:
    """Whether the provider wants the beginning of an answer, which it must continue, marked with `prefix: true`."""
    return canonical(provider) in _MARKED


_PASS_ON = frozenset({"openrouter"})  # what such a gateway accepts depends on the model behind it


def lacking(provider: str, tools: Iterable[ProviderTool]) -> tuple[str, ...]:
    """The tools that this provider does not have; () if nothing is known of it (a gateway, a proxy)."""
    name = canonical(provider)
    if name not in KEY_VARIABLES or name in _PASS_ON:
        return ()
    return tuple(tool.name for tool in tools if name not in tool.homes)


def undated(model: str, *, short: bool = False) -> str:
    """The name without the date at its end; `short`: also without four final digits, which often are a date."""
    plain = _DATE.sub("", model)
    return _SHORT_DATE.sub("", model) if short and plain == model else plain


def loose(model: str) -> str:
    """The name without spelling differences: lower case, with '-' for '.' and '_'."""
    return model.lower().replace(".", "-").replace("_", "-")


def spellings(model: str) -> Iterator[str]:
    """The names under which a catalog may list this model, the most certain first.

    A fine-tuned model ('ft:gpt-4o:acme::id') has the prices of 'ft:gpt-4o', never its base's.
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
