"""The LangChain models that a router calls: what they say of themselves, and how they are made ready.

A child runs with its own retries off, because the router retries; its cache, rate limiter, callbacks
and tags stay in force. The object that the user handed over is never changed: children are copies.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from capability_router.address import Address, fingerprint
from capability_router.catalog.aliases import canonical
from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Description, Entry
from capability_router.catalog.registry import Registry
from capability_router.errors import ConfigError

log = logging.getLogger("langchain_router")

_PROFILE_FIELDS = (
    "max_input_tokens", "max_output_tokens", "tool_calling", "tool_choice", "structured_output",
    "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs", "reasoning_output",
)  # fmt: skip
_RESERVES = ("max_tokens", "max_output_tokens", "num_predict", "max_completion_tokens")
_URLS = (
    "openai_api_base", "azure_endpoint", "anthropic_api_url", "groq_api_base", "endpoint", "base_url", "endpoint_url",
)  # fmt: skip
_REGIONS = ("region_name", "location")  # Bedrock's classes, Vertex's
_DEFAULT_NAMES = {"max_tokens": ("max_tokens", "max_output_tokens", "num_predict")}


def describe(model: Any) -> Description | None:
    """What a LangChain chat model says of itself; None for what is none."""
    if not isinstance(model, BaseChatModel):
        return None
    routes = isinstance(getattr(model, "fleet", None), Fleet)
    named: Mapping[str, Any] = (
        {"ls_provider": "router", "ls_model_name": "router"} if routes else model._get_ls_params()
    )
    provider, name = str(named.get("ls_provider") or ""), str(named.get("ls_model_name") or "")
    profile = model.profile or {}
    fields: dict[str, Any] = {"provider": provider, "model": name, "output_reserve": _reserve(model)}
    fields.update({key: profile[key] for key in _PROFILE_FIELDS if profile.get(key) is not None})  # type: ignore[literal-required]  # keys of a TypedDict, from a list
    stated = getattr(model, "card", None)  # a ChatEndpoint has a whole card, and knows its address
    if isinstance(stated, Mapping):
        fields.update({key: value for key, value in stated.items() if key != "id"})
    address = getattr(getattr(model, "client", None), "address", None)
    if not isinstance(address, Address):
        address = _address(model, provider, name)
    return Description(fields, address, gives_reason(model))


def gives_reason(model: BaseChatModel) -> bool:
    """Whether its streams are known to end with a terminal reason whenever the provider sent all."""
    return any(kind.__name__ in _REASONED for kind in type(model).__mro__)


_REASONED = {
    "BaseChatOpenAI", "ChatAnthropic", "ChatGroq", "ChatMistralAI", "ChatOllama", "ChatGoogleGenerativeAI",
    "ChatEndpoint",
}  # fmt: skip
"""Classes whose streams end with a finish, stop or done reason whenever the provider sent all."""


def _reserve(model: BaseChatModel) -> int | None:
    stated = (getattr(model, name, None) for name in _RESERVES)
    return next((n for n in stated if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)


def _address(model: BaseChatModel, provider: str, name: str) -> Address:
    """Its failure domain. A credential that can't be seen is one of its own, so that no other model answers for it."""
    fleet = getattr(model, "fleet", None)
    if isinstance(fleet, Fleet):  # a router within a router has many addresses: it is known by its models
        name = " ".join(id for id, _ in fleet)
    region = next((str(region) for key in _REGIONS if (region := getattr(model, key, None))), "")
    account = _secret(model) or f"unseen {name} {region}"
    return Address(_base_url(model, provider), name, fingerprint(account), region)


def _base_url(model: BaseChatModel, provider: str) -> str:
    client = getattr(model, "root_client", None)
    urls = (*(getattr(model, name, None) for name in _URLS), getattr(client, "base_url", None))
    url = next((str(url) for url in urls if url and "://" in str(url)), "")
    return url.rstrip("/") or f"sdk:{provider or type(model).__name__}"


def _secret(model: BaseChatModel) -> str | None:
    for name in type(model).model_fields:
        if name.endswith(("api_key", "auth_token")):
            value = getattr(model, name, None)
            reveal = getattr(value, "get_secret_value", None)
            if callable(reveal) and reveal():
                return str(reveal())
    return None


class Quiet(NamedTuple):
    """How a model class is told not to retry: the value, and how its copy takes it in."""

    retries: int
    settle: Callable[[BaseChatModel], None]


def _nothing(_: BaseChatModel) -> None:
    """The class reads `max_retries` at each call."""


def _openai_clients(model: Any) -> None:
    """The SDK clients were built with the retries; `with_options` shares their connections."""
    for root, leaf in (("root_client", "client"), ("root_async_client", "async_client")):
        client = getattr(model, root, None)
        if client is not None:
            silent = client.with_options(max_retries=0)
            setattr(model, root, silent)
            setattr(model, leaf, silent.chat.completions)


def _groq_clients(model: Any) -> None:
    for leaf in ("client", "async_client"):
        sdk = getattr(getattr(model, leaf, None), "_client", None)
        if sdk is not None:
            setattr(model, leaf, sdk.with_options(max_retries=0).chat.completions)


def _cached_clients(model: Any) -> None:
    """Cached properties, built anew from the copy's own fields."""
    for name in ("_client", "_async_client", "_client_params"):
        model.__dict__.pop(name, None)


_QUIET: dict[str, Quiet] = {
    "BaseChatOpenAI": Quiet(0, _openai_clients),
    "ChatAnthropic": Quiet(0, _cached_clients),
    "ChatGroq": Quiet(0, _groq_clients),
    "ChatGoogleGenerativeAI": Quiet(1, _nothing),  # it counts attempts; 0 means the SDK's own default
    "ChatMistralAI": Quiet(1, _nothing),  # tenacity's stop_after_attempt
}
"""By the name of the class or of one of its bases; what isn't here and has `max_retries` is reported."""


def quieted(model: BaseChatModel) -> BaseChatModel:
    """A copy with its own retries off; the model itself if it has none, or none that is known how to stop."""
    rule = next((_QUIET[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in _QUIET), None)
    if rule is None or getattr(model, "max_retries", rule.retries) == rule.retries:
        return model
    copy = model.model_copy(update={"max_retries": rule.retries})
    rule.settle(copy)
    return copy


def retries_left(model: BaseChatModel) -> int:
    """Retries that the child still does by itself, as far as it tells: what `check` reports."""
    known = next((_QUIET[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in _QUIET), None)
    stated = getattr(model, "max_retries", 0)
    if not isinstance(stated, int):
        return 0
    return max(stated - (known.retries if known else 0), 0)


Defaults = tuple[tuple[str, Any], ...]


class Fleet:
    """The children of a router by candidate id. Shared by every copy of the ChatRouter that made it."""

    def __init__(self, registry: Registry, *, api_key: str | None = None) -> None:
        self._models = {entry.card.id: quieted(child_of(entry, api_key)) for entry in registry}
        self._under: dict[Defaults, Fleet] = {}
        for id, model in self:
            if left := retries_left(model):
                log.warning("%s retries up to %d times by itself, beside the router; set its max_retries=0", id, left)

    def under(self, defaults: Defaults) -> Fleet:
        """The same children with these values in their fields, made once."""
        if not defaults:
            return self
        known = self._under.get(defaults)
        if known is None:
            known = Fleet.__new__(Fleet)
            known._models = {id: with_defaults(model, dict(defaults)) for id, model in self._models.items()}
            known._under = {}
            self._under[defaults] = known
        return known

    def __getitem__(self, id: str) -> BaseChatModel:
        return self._models[id]

    @property
    def provider(self) -> str:
        """By what name all of the children's messages go; '' if they differ. LangChain's summarization compares it."""
        names = {str(model._get_ls_params().get("ls_provider") or "") for model in self._models.values()}
        return names.pop() if len(names) == 1 else ""

    def __iter__(self) -> Iterator[tuple[str, BaseChatModel]]:
        return iter(self._models.items())

    def __deepcopy__(self, _: dict[int, Any]) -> Fleet:
        return self

    def __repr__(self) -> str:
        return f"<Fleet {', '.join(self._models)}>"


def with_defaults(model: BaseChatModel, defaults: Mapping[str, Any]) -> BaseChatModel:
    """A copy with the router's own temperature, max_tokens, ... under the names of this model's fields."""
    known = type(model).model_fields
    update = {}
    for name, value in defaults.items():
        field = next((n for n in _DEFAULT_NAMES.get(name, (name,)) if n in known), None)
        if field is not None:
            update[field] = value
    return model.model_copy(update=update) if update else model


_WORDS = {"ChatOllama": ("temperature", "max_tokens"), "ChatGoogleGenerativeAI": ("max_tokens",)}
"""LangChain's common words that a class takes as fields (maybe of another name) and not in a call."""


def with_words(model: BaseChatModel, kwargs: Mapping[str, Any]) -> tuple[BaseChatModel, Mapping[str, Any]]:
    """The model and a call's keywords; those that its class takes in no call are fields of a copy instead."""
    words = next((_WORDS[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in _WORDS), ())
    stated = {word: kwargs[word] for word in words if word in kwargs}
    if not stated:
        return model, kwargs
    return with_defaults(model, stated), {name: value for name, value in kwargs.items() if name not in stated}


def child_of(entry: Entry, api_key: str | None) -> BaseChatModel:
    """The model that makes this entry's calls; raises ConfigError when there is no way to have one."""
    source = entry.source
    if isinstance(source, BaseChatModel):
        return source
    if isinstance(source, str):
        return named(source, api_key)
    if source is None and entry.card.endpoint is not None:
        return _endpoint(entry.card)
    raise ConfigError(
        f"model {entry.card.id!r} is a {type(source).__module__}.{type(source).__name__}, which LangChain can't "
        "call; a router that serves both frameworks needs `endpoint:` or 'provider:model' entries"
    )


def _endpoint(card: ModelCard) -> BaseChatModel:
    from langchain_router.chat_endpoint import ChatEndpoint  # here, because it loads the HTTP client

    return ChatEndpoint.from_card(card)


_CLASSES: dict[str, tuple[str, str]] = {
    "openai": ("langchain_openai", "ChatOpenAI"), "azure_openai": ("langchain_openai", "AzureChatOpenAI"),
    "anthropic": ("langchain_anthropic", "ChatAnthropic"), "groq": ("langchain_groq", "ChatGroq"),
    "google_genai": ("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "google": ("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "gemini": ("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "google_vertexai": ("langchain_google_vertexai", "ChatVertexAI"),
    "mistralai": ("langchain_mistralai", "ChatMistralAI"), "mistral": ("langchain_mistralai", "ChatMistralAI"),
    "ollama": ("langchain_ollama", "ChatOllama"), "cohere": ("langchain_cohere", "ChatCohere"),
    "fireworks": ("langchain_fireworks", "ChatFireworks"), "together": ("langchain_together", "ChatTogether"),
    "deepseek": ("langchain_deepseek", "ChatDeepSeek"), "xai": ("langchain_xai", "ChatXAI"),
    "perplexity": ("langchain_perplexity", "ChatPerplexity"), "openrouter": ("langchain_openrouter", "ChatOpenRouter"),
    "bedrock_converse": ("langchain_aws", "ChatBedrockConverse"), "bedrock": ("langchain_aws", "ChatBedrock"),
    "huggingface": ("langchain_huggingface", "ChatHuggingFace"),
    "nvidia": ("langchain_nvidia_ai_endpoints", "ChatNVIDIA"),
}  # fmt: skip


def named(name: str, api_key: str | None = None) -> BaseChatModel:
    """The model of "provider:model": the provider's LangChain package if installed, else the built-in client."""
    provider, _, model = name.partition(":")
    known = _CLASSES.get(provider.lower().replace("-", "_"))
    keywords = {"api_key": api_key} if api_key else {}
    if not api_key:
        _check_key(provider, name)
    if known and find_spec(known[0]):
        return _built(lambda: getattr(importlib.import_module(known[0]), known[1])(model=model, **keywords), name)
    if not known and find_spec("langchain"):
        found = _by_langchain(name, keywords)
        if found is not None:
            return found
    return _by_endpoint(name, api_key)


_LATE = {"anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")}
"""Providers whose client is built without a key and would fail only at its first call."""


def _check_key(provider: str, name: str) -> None:
    names = _LATE.get(canonical(provider), ())
    if names and not any(os.environ.get(variable) for variable in names):
        raise ConfigError(f"{name!r} takes its key from the environment variable {names[0]}, which is not set; set it")


def _by_langchain(name: str, keywords: Mapping[str, Any]) -> BaseChatModel | None:
    """A provider that `init_chat_model` knows and the table does not; None if it doesn't either."""
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(name, **keywords)  # type: ignore[no-any-return]  # its overloads are not exported typed
    except (ValueError, ImportError):
        return None


def _by_endpoint(name: str, api_key: str | None) -> BaseChatModel:
    from langchain_router.chat_endpoint import ChatEndpoint

    return _built(lambda: ChatEndpoint.named(name, api_key=api_key), name)


def _built(make: Callable[[], Any], name: str) -> BaseChatModel:
    try:
        model: BaseChatModel = make()
    except ConfigError:
        raise
    except Exception as error:  # each package has its own exception for a missing key or a bad setting
        raise ConfigError(
            f"models: {name!r} could not be set up: {type(error).__name__}: {_first_line(error)} "
            "Set the provider's API key variable, or pass a model object instead of the string."
        ) from error
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
