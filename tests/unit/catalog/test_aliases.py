"""Providers by the names that other packages and their users write for them."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from capability_router.catalog.aliases import canonical
from capability_router.catalog.known import snapshot

NOT_OF_THE_CATALOG = {"ollama", "litellm", "langsmith", "upstage"}  # local, a gateway, or in no list that is read

LLAMAINDEX = """
ai21 anthropic azure-inference azure-openai baseten bedrock bedrock-converse cerebras cohere dashscope databricks
deepinfra deepseek fireworks friendli gemini gigachat-ru google-genai grok groq huggingface-api ibm meta minimax
mistralai nebius novita nvidia oci-genai openai openrouter perplexity sambanovasystems sambanovacloud sarvam together
vertex watsonx zhipuai cortex palm
"""
LITELLM = """
openai text-completion-openai xai zai bigmodel cohere cohere_chat anthropic anthropic_text huggingface together_ai
openrouter vertex_ai vertex_ai_beta gemini ai21 ai21_chat baseten azure azure_text azure_ai bedrock bedrock_mantle
amazon_nova deepinfra perplexity mistral codestral text-completion-codestral groq gigachat nvidia_nim cerebras
volcengine dashscope qwencloud qwen_ai_platform moonshot v0 morph lambda_ai inception text-completion-inception
deepseek sambanova cloudflare fireworks_ai friendliai watsonx watsonx_text databricks tencent nebius novita snowflake
meta_llama meta nscale hyperbolic oci wandb scaleway minimax xiaomi_mimo cognition
"""
OPENTELEMETRY = """
openai gcp.gen_ai gcp.vertex_ai gcp.gemini anthropic cohere azure.ai.inference azure.ai.openai ibm.watsonx.ai
aws.bedrock perplexity x_ai deepseek groq mistral_ai
"""
OPENROUTER = "amazon arcee-ai bytedance-seed ibm-granite meta-llama mistralai moonshotai qwen x-ai z-ai"
OTHERS = "ollama vllm litellm lm_studio openai_like custom acme github_copilot vercel_ai_gateway"
WRITTEN = {
    "zai": "zai z.ai Z.AI z-ai zhipu zhipuai zhipu-ai chatglm zai-org",
    "xai": "x.ai x-ai xai Grok",
    "alibaba": "alibaba alibabacloud alibaba-cloud aliyun dashscope qwen bailian",
    "moonshot": "moonshotai kimi moonshot.ai",
    "deepseek": "DeepSeek deepseek-ai",
    "google": "google gemini google_ai_studio google-vertex google-gla vertexai vertex",
    "bedrock": "bedrock aws amazon aws-bedrock",
    "azure": "azure azure-openai azureopenai azure-foundry",
    "mistral": "mistral mistralai mistral.ai",
    "together": "together togetherai together.ai togethercomputer",
    "fireworks": "fireworks fireworks-ai fireworks.ai",
    "perplexity": "perplexity pplx perplexity-ai",
    "meta": "meta meta-llama meta_ai",
    "xiaomi": "xiaomi mimo xiaomimimo",
    "inception": "inception inceptionlabs inception-labs",
    "volcengine": "volcengine ark doubao bytedance bytedance-seed byteplus",
    "tencent": "tencent hunyuan tencent-cloud",
    "minimax": "minimax minimaxai",
    "arcee": "arcee arcee-ai",
    "watsonx": "watsonx ibm ibm-granite watsonx.ai",
    "oci": "oci oracle",
    "snowflake": "snowflake snowflake-cortex",
    "nvidia": "nvidia nim nvidia-nim",
    "huggingface": "huggingface hf hugging-face",
    "anthropic": "anthropic claude",
    "lambda_ai": "lambda lambda-ai",
    "gigachat": "gigachat giga GigaChat gigachat-ru",
}


def known(name: str) -> bool:
    return canonical(name) in snapshot.builtin().providers


def langchain_names() -> dict[str, Any]:
    base = importlib.import_module("langchain.chat_models.base")
    found: dict[str, Any] = getattr(base, "_BUILTIN_PROVIDERS", None) or getattr(base, "_SUPPORTED_PROVIDERS", {})
    return found


def test_the_names_of_init_chat_model_are_known() -> None:
    names = set(langchain_names()) - NOT_OF_THE_CATALOG
    if not names:
        pytest.skip("this version of langchain has no table of providers")
    assert {name for name in names if not known(name)} == set()


@pytest.mark.parametrize("name", sorted({*LLAMAINDEX.split(), *LITELLM.split(), *OPENTELEMETRY.split()}))
def test_a_package_s_name_for_a_provider_is_known(name: str) -> None:
    assert known(name)


@pytest.mark.parametrize(("provider", "name"), [(p, n) for p, names in WRITTEN.items() for n in names.split()])
def test_what_users_write_is_the_provider_that_is_meant(provider: str, name: str) -> None:
    assert canonical(name) == provider


def test_a_maker_has_its_name_of_openrouter() -> None:
    resold = {name.split("/")[0].lstrip("~") for name in snapshot.builtin().models("openrouter") if "/" in name}
    makers = resold & set(OPENROUTER.split())
    assert len(makers) > 8
    assert all(map(known, makers))


def test_a_gateway_or_a_server_of_ones_own_is_nobody_else() -> None:
    for name in OTHERS.split():
        assert canonical(name) == name


def test_every_name_leads_to_one_that_is_its_own() -> None:
    from capability_router.catalog.aliases import OTHER_NAMES

    for name, provider in OTHER_NAMES.items():
        assert canonical(name) == provider, name
        assert canonical(provider) == provider
        assert provider in snapshot.builtin().providers, provider
