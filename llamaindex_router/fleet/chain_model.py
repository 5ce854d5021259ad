"""What a LangChain chat model says of itself, a copy of it with its own retries off, and copies for single calls.

Nothing here imports LangChain: a model that is given shows that it is loaded. The adapter for LangChain
has its own, richer code for the same; the two adapters don't know each other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from inspect import signature
from typing import Any

from capability_router.address import Address, fingerprint, joint
from capability_router.catalog.card import profiled
from capability_router.catalog.entry import ModelDescription
from capability_router.catalog.registry import Registry
from capability_router.endpoints.chain_usage import Counting
from capability_router.faults.evidence import read
from capability_router.request import default_answers, default_service_tier
from capability_router.sdks.async_keys import key_from_thread
from capability_router.sdks.shared_clients import without_finalizer

_LIMITS = ("max_tokens", "max_output_tokens", "num_predict", "max_completion_tokens")
_URLS = ("openai_api_base", "azure_endpoint", "anthropic_api_url", "groq_api_base", "base_url", "endpoint_url")
_KEYS = ("openai_api_key", "anthropic_api_key", "google_api_key", "groq_api_key", "mistral_api_key", "api_key")
_REASONED = ("BaseChatOpenAI", "ChatAnthropic", "ChatGroq", "ChatMistralAI", "ChatOllama", "ChatGoogleGenerativeAI",
             "ChatEndpoint")  # fmt: skip
_ATTEMPTS_COUNTED = ("ChatGoogleGenerativeAI", "ChatMistralAI")  # their max_retries counts the first attempt too
_PARALLEL = ("ChatGroq", "ChatMistralAI", "ChatEndpoint")
"""Their `bind_tools` doesn't name `parallel_tool_calls`, but passes it on."""
_COUNT_ON = ("ChatAnthropic", "ChatGoogleGenerativeAI", "ChatPerplexity", "ChatEndpoint")
_CLIENTS = (("root_client", "client"), ("root_async_client", "async_client"))
_CACHED = ("_client", "_async_client", "_client_params")  # Anthropic's, made anew from the copy's own fields


def is_chat_model(model: Any) -> bool:
    """Whether it is a LangChain chat model."""
    base = getattr(sys.modules.get("langchain_core.language_models"), "BaseChatModel", None)
    return base is not None and isinstance(model, base)


def held_by(llm: Any) -> Any:
    """The LangChain chat model within LlamaIndex's own wrapper for such, LangChainLLM; None for any other LLM.

    That wrapper hands on texts alone: neither tools nor tokens nor why an answer ended.
    """
    ours = type(llm).__name__ == "LangChainLLM" and type(llm).__module__.startswith("llama_index.llms.langchain")
    model = getattr(llm, "llm", None) if ours else None
    return model if is_chat_model(model) else None


def is_a(model: Any, *names: str) -> bool:
    """Whether its class, or one that it is derived from, has one of these names."""
    return any(kind.__name__ in names for kind in type(model).__mro__)


def counting_of(model: Any) -> Counting:
    """What the counts of a later chunk of its streams are, where that is known."""
    return "anew" if is_a(model, "BaseChatOpenAI") else "on" if is_a(model, *_COUNT_ON) else ""


def described(model: Any) -> ModelDescription:
    """Card fields and address of a LangChain chat model."""
    named: Mapping[str, Any] = model._get_ls_params()
    provider, name = str(named.get("ls_provider") or ""), str(named.get("ls_model_name") or "")
    fields: dict[str, Any] = {"provider": provider, "model": name, "output_reserve": _reserve(model)}
    fields["service_tier"], fields["answers"] = default_service_tier(model) or None, default_answers(model)
    if not calls_tools(model):
        fields["tool_calling"] = False
    fields.update(profiled(getattr(model, "profile", None) or {}))
    stated = getattr(model, "card", None)  # an endpoint of ours has a whole card, and knows its address
    if isinstance(stated, Mapping):
        fields.update({key: value for key, value in stated.items() if key != "id"})
    address = read(getattr(model, "client", None), "address")
    if not isinstance(address, Address):
        address = address_of_router(model) or _address(model, provider, name)
    return ModelDescription(fields, address, is_a(model, *_REASONED))


def address_of_router(model: Any) -> Address | None:
    """Where a router of either framework is: where its models are. None for what is none."""
    registry = getattr(getattr(model, "router", None), "registry", None)
    return joint(entry.address for entry in registry) if isinstance(registry, Registry) else None


def calls_tools(model: Any) -> bool:
    """Whether its class knows how to be given tools; the base class's method only raises."""
    method = getattr(type(model), "bind_tools", None)
    return method is not None and method.__qualname__ != "BaseChatModel.bind_tools"


def takes_parallel(model: Any) -> bool:
    """Whether its calls may state `parallel_tool_calls`: of other classes a call with it could fail."""
    kind: Any = type(model)
    return is_a(model, *_PARALLEL) or _states_parallel(kind)


@lru_cache(maxsize=256)
def _states_parallel(kind: Any) -> bool:
    return "parallel_tool_calls" in signature(kind.bind_tools).parameters


def _reserve(model: Any) -> int | None:
    stated = (getattr(model, name, None) for name in _LIMITS)
    return next((n for n in stated if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)


def _address(model: Any, provider: str, name: str) -> Address:
    key, package = _key(model), type(model).__module__.partition(".")[0]
    known = key or (package.startswith("langchain_") and package != "langchain_core")
    sdk = f"sdk:{provider or type(model).__name__}" if known else ""
    return Address(_url(model) or sdk, name, fingerprint(key or _function(model)))


def _url(model: Any) -> str:
    client = getattr(model, "root_client", None)
    urls = (*(getattr(model, name, None) for name in _URLS), read(client, "base_url"))
    return next((str(url) for url in urls if url and "://" in str(url)), "").rstrip("/")


def _key(model: Any) -> str | None:
    values: Iterator[Any] = (getattr(model, name, None) for name in _KEYS)
    texts = (v.get_secret_value() if hasattr(v, "get_secret_value") else v for v in values)
    return next((text for text in texts if isinstance(text, str) and text), None)


def _function(model: Any) -> str:
    """A name for the function that gives its key, apart from all others; "" = there is none."""
    values = (getattr(model, name, None) for name in _KEYS)
    given = next((v for v in values if callable(v) and not hasattr(v, "get_secret_value")), None)
    return "" if given is None else f"{getattr(given, '__qualname__', '')}:{id(given)}"


def without_own_retries(model: Any) -> Any:
    """A copy with its own retries off; the model itself if it has none. A router's attempts are its own matter."""
    if "max_retries" not in type(model).model_fields or address_of_router(model) is not None:
        return model
    none = 1 if is_a(model, *_ATTEMPTS_COUNTED) else 0
    if model.max_retries == none and key_from_thread(model) is None:
        return model
    copied = without_finalizer(model.model_copy(update={"max_retries": none}))
    for root, leaf in _CLIENTS:
        _quiet_client(copied, root, leaf)
    for name in _CACHED:
        copied.__dict__.pop(name, None)
    return copied


def copy_for_call(model: Any, update: Mapping[str, Any]) -> Any:
    """A copy for one call. Some models close at their end the client that it shares: it has no end of its own.

    What core kept of how the model is named in a cache stays behind: else the copy is answered with what others got.
    """
    copied = model.model_copy(update=dict(update))
    copied.__dict__.pop("_serialized", None)
    return without_finalizer(copied)


def _quiet_client(model: Any, root: str, leaf: str) -> None:
    """SDK clients were built with the retries; `with_options` shares their connections."""
    client: Any = getattr(model, root, None)
    inner: Any = getattr(getattr(model, leaf, None), "_client", None)
    sdk = client if client is not None else inner
    if not hasattr(sdk, "with_options"):
        return
    aside = key_from_thread(model) if root == "root_async_client" else None
    silent = sdk.with_options(max_retries=0, **({"api_key": aside} if aside else {}))
    if client is not None:
        setattr(model, root, silent)
    setattr(model, leaf, silent.chat.completions)
