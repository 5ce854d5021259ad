"""LiteLLM's providers: what a model's name means there, and how its models are reached from here."""

from __future__ import annotations

import re
from typing import NamedTuple

from capability_router.catalog.aliases import KEY_VARIABLES, canonical
from capability_router.endpoints.providers import ALIASES, PROVIDERS


class ProviderAccess(NamedTuple):
    """`base_url` of Chat Completions, `keys`: the variables in which LiteLLM looks for a key; "" and () = none.

    `ours`: its name in our `provider:model`, "" = it has none here. `path`: what follows an `api_base` of LiteLLM's.
    `own_protocol`: its `api_base` is not an address of Chat Completions.
    """

    base_url: str = ""
    keys: tuple[str, ...] = ()
    ours: str = ""
    path: str = ""
    own_protocol: bool = False


_NAMED: dict[str, ProviderAccess] = {
    "openai": ProviderAccess(keys=("OPENAI_API_KEY",), ours="openai"),
    "anthropic": ProviderAccess(keys=("ANTHROPIC_API_KEY",), ours="anthropic", own_protocol=True),
    "gemini": ProviderAccess(keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"), ours="google_genai", own_protocol=True),
    "groq": ProviderAccess(keys=("GROQ_API_KEY",), ours="groq"),
    "mistral": ProviderAccess(keys=("MISTRAL_API_KEY",), ours="mistralai"),
    "deepseek": ProviderAccess(keys=("DEEPSEEK_API_KEY",), ours="deepseek"),
    "openrouter": ProviderAccess(keys=("OPENROUTER_API_KEY",), ours="openrouter"),
    "xai": ProviderAccess(keys=("XAI_API_KEY",), ours="xai"),
    "together_ai": ProviderAccess(
        keys=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY"), ours="together"
    ),
    "fireworks_ai": ProviderAccess(
        keys=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY"), ours="fireworks"
    ),
    "cerebras": ProviderAccess(keys=("CEREBRAS_API_KEY",), ours="cerebras"),
    "perplexity": ProviderAccess(keys=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"), ours="perplexity"),
    "nvidia_nim": ProviderAccess(keys=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"), ours="nvidia"),
    "moonshot": ProviderAccess(keys=("MOONSHOT_API_KEY",), ours="moonshot"),
    "zai": ProviderAccess(keys=("ZAI_API_KEY",), ours="zai"),
    "dashscope": ProviderAccess(keys=("DASHSCOPE_API_KEY",), ours="alibaba"),
    "minimax": ProviderAccess(keys=("MINIMAX_API_KEY",), ours="minimax"),
    "huggingface": ProviderAccess(keys=("HF_TOKEN", "HUGGINGFACE_API_KEY"), ours="huggingface", own_protocol=True),
    "ollama": ProviderAccess(ours="ollama", path="/v1"),
    "ollama_chat": ProviderAccess(ours="ollama", path="/v1"),
    "lm_studio": ProviderAccess(ours="lmstudio"),
    "hosted_vllm": ProviderAccess(),
    "vertex_ai": ProviderAccess(ours="google_vertexai", own_protocol=True),
    "vertex_ai_beta": ProviderAccess(ours="google_vertexai", own_protocol=True),
    "bedrock": ProviderAccess(ours="bedrock_converse", own_protocol=True),
    "bedrock_converse": ProviderAccess(ours="bedrock_converse", own_protocol=True),
    "cohere": ProviderAccess(
        "https://api.cohere.ai/compatibility/v1", ("COHERE_API_KEY", "CO_API_KEY"), own_protocol=True
    ),
    "cohere_chat": ProviderAccess(
        "https://api.cohere.ai/compatibility/v1", ("COHERE_API_KEY", "CO_API_KEY"), own_protocol=True
    ),
    "deepinfra": ProviderAccess("https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",)),
    "sambanova": ProviderAccess("https://api.sambanova.ai/v1", ("SAMBANOVA_API_KEY",)),
    "nebius": ProviderAccess("https://api.studio.nebius.ai/v1", ("NEBIUS_API_KEY",)),
    "novita": ProviderAccess("https://api.novita.ai/v3/openai", ("NOVITA_API_KEY",)),
    "hyperbolic": ProviderAccess("https://api.hyperbolic.xyz/v1", ("HYPERBOLIC_API_KEY",)),
    "lambda_ai": ProviderAccess("https://api.lambda.ai/v1", ("LAMBDA_API_KEY",)),
    "friendliai": ProviderAccess("https://api.friendli.ai/serverless/v1", ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN")),
    "featherless_ai": ProviderAccess("https://api.featherless.ai/v1", ("FEATHERLESS_AI_API_KEY",)),
    "nscale": ProviderAccess("https://inference.api.nscale.com/v1", ("NSCALE_API_KEY",)),
    "meta_llama": ProviderAccess("https://api.llama.com/compat/v1", ("LLAMA_API_KEY",)),
    "volcengine": ProviderAccess("https://ark.cn-beijing.volces.com/api/v3", ("VOLCENGINE_API_KEY", "ARK_API_KEY")),
    "baseten": ProviderAccess("https://inference.baseten.co/v1", ("BASETEN_API_KEY",)),
    "ai21": ProviderAccess("https://api.ai21.com/studio/v1", ("AI21_API_KEY",)),
    "ai21_chat": ProviderAccess("https://api.ai21.com/studio/v1", ("AI21_API_KEY",)),
    "wandb": ProviderAccess("https://api.inference.wandb.ai/v1", ("WANDB_API_KEY",)),
    "v0": ProviderAccess("https://api.v0.dev/v1", ("V0_API_KEY",)),
    "morph": ProviderAccess("https://api.morphllm.com/v1", ("MORPH_API_KEY",)),
    "inception": ProviderAccess("https://api.inceptionlabs.ai/v1", ("INCEPTION_API_KEY",)),
    "azure": ProviderAccess(keys=("AZURE_API_KEY", "AZURE_OPENAI_API_KEY")),
    "azure_ai": ProviderAccess(keys=("AZURE_AI_API_KEY",)),
}  # fmt: skip
_ADDRESSED = (
    "openai_like", "custom_openai", "litellm_proxy", "llamafile", "xinference", "docker_model_runner", "databricks",
    "vllm", "aiohttp_openai", "lemonade", "empower", "galadriel", "github", "snowflake", "oobabooga", "triton",
)  # fmt: skip
_OPEN = ("openai_like", "custom_openai", "litellm_proxy", "llamafile", "docker_model_runner", "vllm", "aiohttp_openai",
         "databricks", "lemonade", "github")  # fmt: skip
"""Reached at the given `api_base`, by Chat Completions."""
_ELSEWHERE = (
    "sagemaker", "sagemaker_chat", "watsonx", "watsonx_text", "replicate", "predibase", "petals", "nlp_cloud", "oci",
    "text-completion-openai", "text-completion-codestral", "codestral", "azure_text", "cloudflare", "clarifai",
    "voyage",
    "jina_ai", "palm", "infinity", "custom", "auto_router", "github_copilot", "chatgpt", "langgraph", "gigachat",
    "maritalk", "langfuse", "humanloop", "dotprompt", "amazon_nova", "bedrock_mantle", "sap", "gradient_ai", "heroku",
)  # fmt: skip
KNOWN = frozenset({*_NAMED, *_ADDRESSED, *_ELSEWHERE})
"""Prefixes of `provider/model`; LiteLLM has more, but those can't be used here."""

_BARE = (
    (
        re.compile(r"^(gpt-|chatgpt-|o[1-9](-|$)|ft:gpt-|ft:o[1-9]|codex-|text-embedding-|dall-e|whisper|tts-)"),
        "openai",
    ),
    (re.compile(r"^claude-"), "anthropic"),
    (re.compile(r"^gemini-"), "vertex_ai"),
    (re.compile(r"^((us|eu|apac|global)\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek)\.[a-z]"), "bedrock"),
    (re.compile(r"^command(-|$)"), "cohere"),
)
"""The provider that LiteLLM assumes for a bare name."""

_NO_CHAT = re.compile(
    r"(embed|whisper|dall-e|gpt-image|imagen|^tts-|-tts\b|rerank|moderation|transcribe|stable-diffusion)"
)


class ModelName(NamedTuple):
    """A model's name, parted; `provider` "" = unknown."""

    provider: str
    model: str


def parted(name: str, stated: str = "") -> ModelName:
    """The meaning of `provider/model` or of a bare name; `stated` is `custom_llm_provider`."""
    head, slash, rest = name.partition("/")
    if stated:
        return ModelName(stated, rest if slash and head == stated else name)
    if slash and (head in KNOWN or canonical(head) in PROVIDERS or head in ALIASES):
        return ModelName(head, rest)
    found = next((provider for pattern, provider in _BARE if pattern.match(name)), "")
    return ModelName(found, name) if found else ModelName(head if slash else "", rest if slash else name)


def provider_access(provider: str) -> ProviderAccess | None:
    """How this provider's models are reached; None = not from here."""
    found = _NAMED.get(provider)
    if found is not None:
        row = PROVIDERS.get(ALIASES.get(found.ours, found.ours))
        return found if found.base_url or row is None else found._replace(base_url=row.base_url)
    return ProviderAccess() if provider in _OPEN else None


def own_keys(name: str) -> tuple[str, ...]:
    """The variables in which the clients of our `provider:model` look for a key, in order."""
    row = PROVIDERS.get(ALIASES.get(name, name))
    said = (row.api_key_env,) if row is not None and row.api_key_env else ()
    return tuple(dict.fromkeys((*said, *KEY_VARIABLES.get(canonical(name), ()))))


def chats(model: str) -> bool:
    """Whether a name of which nothing else is known may be a chat model's."""
    return not _NO_CHAT.search(model.lower())
