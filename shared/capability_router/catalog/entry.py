"""One entry of `models=`: its card, the object that makes its calls, and their address.

An entry may be written in five ways; each is first read into a Draft: what the user stated, what the model says of
itself, and its address. The registry then decides ids and cards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from capability_router.address import Address, account_of, fingerprint, public_url
from capability_router.catalog.aliases import KEY_VARIABLES, canonical, provider_of
from capability_router.catalog.card import FIELDS, ModelCard, card_fields
from capability_router.errors import ConfigError
from capability_router.nearest import nearest

_ENDPOINT_KINDS: dict[str, type] = {"base_url": str, "model": str, "api_key_env": str, "headers": dict}
ENDPOINT_KEYS = (*_ENDPOINT_KINDS, "api_key", "timeouts")
FORMS = "a model object, 'provider:model', a ModelCard, (model, card or overrides) or {id, model | endpoint, ...}"


class ModelDescription(NamedTuple):
    """What a framework's model says of itself: card fields, its address.

    `gives_reason`: whether its answers always end with a terminal reason, so that a missing one is a fault.
    """

    fields: Mapping[str, Any]
    address: Address
    gives_reason: bool = False


Describe = Callable[[Any], ModelDescription | None]
"""An adapter's hook: what this object says of itself; None = it is no model of that framework."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered model.

    `source` makes its calls: a framework's model, a 'provider:model' string, or None, when the built-in client reaches
    `card.endpoint`. `gives_reason`: see ModelDescription. `sources`: card field -> 'user', 'profile' or 'catalog
    litellm 1.110.2 (2026-11-20)'. `key_variable`: the environment variable that its key was read from, or would have
    been; '' = none, or it isn't known.
    """

    card: ModelCard
    source: Any
    address: Address
    gives_reason: bool = False
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    key_variable: str = ""

    @property
    def variable(self) -> str:
        """The environment variable for its key, whether or not it is set; '' = unknown."""
        endpoint = self.card.endpoint
        return str(endpoint.get("api_key_env") or "") if endpoint else self.key_variable

    def __repr__(self) -> str:
        via = self.source if isinstance(self.source, str) else type(self.source).__name__
        return f"<Entry {self.card.id} via {'endpoint' if self.source is None else via} at {self.address.base_url}>"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as it was written. `stated` comes from the user, `told` from the model itself."""

    where: str
    id: str | None
    source: Any
    stated: Mapping[str, Any]
    told: Mapping[str, Any]
    address: Address
    gives_reason: bool = False

    @property
    def provider(self) -> str:
        """As the user stated, else as the model says; '' = unknown."""
        return str(self.stated.get("provider") or self.told.get("provider") or "")

    @property
    def model(self) -> str:
        """As the user stated, else as the model says; '' = unknown."""
        return str(self.stated.get("model") or self.told.get("model") or "")

    @property
    def derived_id(self) -> str:
        """`provider/model`, else the model, else the class of the model object."""
        known = "/".join(part for part in (self.provider, self.model) if part) if self.model else ""
        return known or type(self.source).__name__


def key_variable(draft: Draft) -> str:
    """The environment variable that holds the draft's key, or in which its provider's clients look."""
    own = draft.source if draft.stated.get("endpoint") is None else draft.stated["endpoint"]
    named = own.get("api_key_env") if isinstance(own, Mapping) else getattr(own, "api_key_env", None)
    variables = (named,) if isinstance(named, str) else KEY_VARIABLES.get(canonical(draft.provider), ())
    mark = draft.address.credential
    if mark:
        return next((name for name in variables if fingerprint(os.environ.get(name)) == mark), "")
    # The built-in client reads no variable by default.
    asks = not isinstance(own, Mapping) and not hasattr(own, "api_key_env")
    return variables[0] if variables and asks else ""


def keyed(draft: Draft, api_key: str | None) -> Draft:
    """The draft with the key that the router was given for 'provider:model' entries."""
    if not api_key or not isinstance(draft.source, str):
        return draft
    return replace(draft, address=draft.address._replace(credential=fingerprint(api_key)))


def read(item: Any, where: str, describe: Describe | None) -> Draft:
    """The draft of one entry; raises ConfigError, naming position and type, for an invalid one."""
    if isinstance(item, str):
        return _named(item, where)
    if isinstance(item, ModelCard):
        return _unbound(_fields(item), where)
    if isinstance(item, Mapping):
        return _mapped(item, where, describe)
    if isinstance(item, (tuple, list)):
        return _paired(item, where, describe)
    return _described(item, where, describe)


def _named(name: str, where: str) -> Draft:
    provider, colon, model = name.strip().partition(":")
    if not (provider and colon and model):
        raise ConfigError(f"{where}: {name!r} does not name a model; write 'provider:model'{_meant(name)}")
    keys = (os.environ.get(variable) for variable in KEY_VARIABLES.get(canonical(provider), ()))
    address = Address(f"sdk:{provider}", model, fingerprint(next(filter(None, keys), None)))
    return Draft(where, None, f"{provider}:{model}", {}, {"provider": provider, "model": model}, address)


def _meant(name: str) -> str:
    provider, slash, model = name.partition("/")
    return f", here {provider}:{model}" if slash and canonical(provider) in KEY_VARIABLES else ", as in 'openai:gpt-5'"


def _mapped(item: Mapping[str, Any], where: str, describe: Describe | None) -> Draft:
    model = item.get("model")
    stated = {key: value for key, value in item.items() if key != "model"}
    if model is not None and not isinstance(model, str):
        return _paired((model, stated), where, describe)
    if model and ":" in model and not item.get("endpoint") and not item.get("provider"):
        return overridden(_named(model, where), stated)
    return _unbound(item, where)


def _unbound(stated: Mapping[str, Any], where: str) -> Draft:
    """An entry without a model object: an endpoint, or a provider and a model."""
    if stated.get("endpoint") is not None:
        return _reached({k: v for k, v in stated.items() if v is not None}, where)
    provider, model = stated.get("provider"), stated.get("model")
    if not provider or not model:
        card_fields(stated, str(stated.get("id") or where))  # a misspelt key may be what is missing
        owner = f" ({stated['id']})" if stated.get("id") else ""
        raise ConfigError(
            f"{where}{owner}: nothing says how to call it; give `model: provider:model`, provider and model, "
            "or `endpoint: {base_url, model}`" + (f"; {model!r} names no provider" if model else "")
        )
    return overridden(_named(f"{provider}:{model}", where), stated)


def _reached(stated: Mapping[str, Any], where: str) -> Draft:
    endpoint = _endpoint(stated["endpoint"], stated.get("model"), where)
    base_url, model = endpoint["base_url"], endpoint["model"]
    told = {"provider": provider_of(base_url) or "endpoint", "model": model}
    draft = Draft(where, None, None, {}, told, Address(public_url(base_url), model, _account(endpoint)))
    return overridden(draft, {**stated, "endpoint": endpoint})


def _endpoint(value: Any, model: Any, where: str) -> dict[str, Any]:
    """The endpoint's settings, checked. No value is quoted in an error: it may be secret."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}.endpoint must be a mapping of {', '.join(ENDPOINT_KEYS)}")
    for name in value:
        if name not in ENDPOINT_KEYS:
            raise ConfigError(f"{where}.endpoint: unknown key {name!r}{nearest(name, ENDPOINT_KEYS)}")
    for name, kind in _ENDPOINT_KINDS.items():
        if not isinstance(value.get(name) or kind(), kind):
            raise ConfigError(f"{where}.endpoint.{name} must be a {'mapping' if kind is dict else 'text'}")
    base_url, named = value.get("base_url") or "", value.get("model") or model
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise ConfigError(f"{where}.endpoint.base_url must be a URL such as https://host/v1")
    if not isinstance(named, str):
        raise ConfigError(f"{where}.endpoint.model must name the model to ask for at that URL")
    return {**value, "base_url": base_url, "model": named}


def _account(endpoint: Mapping[str, Any]) -> str:
    """The mark of the key; '' also for a variable that is not set: the client reports that when it is built.

    `api_key` may be a text, a SecretStr, or a callable, which stands for an account of its own.
    """
    headers = {str(name): str(value) for name, value in (endpoint.get("headers") or {}).items()}
    key = endpoint.get("api_key") or os.environ.get(endpoint.get("api_key_env") or "", "")
    key = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    key = key or account_of(headers)
    return fingerprint(key if isinstance(key, str) else f"{type(key).__name__}:{id(key)}")


def _paired(item: tuple[Any, ...] | list[Any], where: str, describe: Describe | None) -> Draft:
    if len(item) != 2 or not isinstance(item[1], (ModelCard, Mapping)):
        kinds = ", ".join(type(part).__name__ for part in item)
        raise ConfigError(f"{where}: a pair is (model, ModelCard or overrides), got ({kinds})")
    model, said = item
    stated = _fields(said) if isinstance(said, ModelCard) else said
    if stated.get("endpoint") is not None:
        raise ConfigError(f"{where}: has a model and an endpoint; give the model, or the card with its endpoint alone")
    return overridden(read(model, where, describe), stated)


def _fields(card: ModelCard) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(card, name)) not in (None, "", (), {})}


def overridden(draft: Draft, stated: Mapping[str, Any]) -> Draft:
    """The draft with the user's own fields over it."""
    said = {name: value for name, value in stated.items() if value is not None}
    given = said.pop("id", None)
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise ConfigError(f"{draft.where}.id must be a text such as 'openai/gpt-5-mini', got {given!r}")
    return replace(draft, id=given or draft.id, stated={**draft.stated, **said})


def _described(item: Any, where: str, describe: Describe | None) -> Draft:
    told = describe(item) if describe else _plainly(item)
    if told is None:
        kind = f"the class {item.__name__}" if isinstance(item, type) else f"of the class {type(item).__name__}"
        raise ConfigError(f"{where} is {kind}, which can't be routed to; {_instead(item)}an entry is {FORMS}")
    return Draft(where, None, item, {}, told.fields, told.address, told.gives_reason)


_OTHERS = {
    "llama_index.LLM": "LlamaIndex's LLMs are for RouterLLM; give LangChain's class for the same provider; ",
    "langchain_core.BaseLLM": "it completes texts; give the chat model of its package, such as ChatOpenAI; ",
}
"""Base class of what is taken for a chat model, under its package's name -> what to give in its place."""


def _class_name(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _instead(item: Any) -> str:
    """What to give in place of a class, another kind of model, or one that `bind`, `with_retry`, ... have wrapped."""
    if isinstance(item, type):
        return f"give a model: {item.__name__}(...); "
    if meant := next((_OTHERS[name] for kind in type(item).__mro__ if (name := _class_name(kind)) in _OTHERS), ""):
        return meant
    if getattr(item, "fallbacks", None):
        return "list the models in it one by one, since the router falls back by itself; "
    inner = getattr(item, "bound", None)
    if inner is None:
        return ""
    return f"give the {type(inner).__name__} in it, and set what it adds at that model or bind it to the router; "


def _plainly(item: Any) -> ModelDescription | None:
    """Without an adapter: an object with a chat model's methods, described by its class alone."""
    kind = type(item)
    talks = any(callable(getattr(kind, name, None)) for name in ("invoke", "chat", "complete"))
    if isinstance(item, type) or not talks:
        return None
    return ModelDescription({}, Address("", ""))
