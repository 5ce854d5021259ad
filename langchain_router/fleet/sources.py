"""From an entry of `models=` to the LangChain model that makes its calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from langchain_core.language_models import BaseChatModel

from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.errors import ConfigError
from langchain_router.partners.dialects import dialect_for


def model_of(entry: Entry, api_key: str | None) -> BaseChatModel:
    """The model that makes this entry's calls; raises ConfigError when there is no way to have one."""
    source = entry.source
    if isinstance(source, BaseChatModel):
        return source
    if isinstance(source, str):
        return named(source, api_key)
    if source is None and entry.card.endpoint is not None:
        return _by_card(entry.card)
    raise ConfigError(
        f"model {entry.card.id!r} is a {type(source).__module__}.{type(source).__name__}, which LangChain can't "
        "call; a router that serves both frameworks needs `endpoint:` or 'provider:model' entries"
    )


def named(name: str, api_key: str | None = None) -> BaseChatModel:
    """The model of "provider:model": the provider's LangChain package if installed, else the built-in client."""
    provider, _, model = name.partition(":")
    dialect = dialect_for(provider)
    keywords = {"api_key": api_key} if api_key else {}
    if not api_key:
        _check_key(dialect.late_keys, name)
    if dialect.package and find_spec(dialect.package):
        made = dialect.makes or dialect.class_name
        return _built(lambda: getattr(import_module(dialect.package), made)(model=model, **keywords), name)
    if not dialect.package and find_spec("langchain"):
        found = _by_langchain(name, keywords)
        if found is not None:
            return found
    return _by_endpoint(name, api_key)


def _check_key(variables: tuple[str, ...], name: str) -> None:
    if variables and not any(os.environ.get(variable) for variable in variables):
        raise ConfigError(
            f"{name!r} takes its key from the environment variable {variables[0]}, which is not set; set it, give "
            "api_key=, or give a model object"
        )


def _by_langchain(name: str, keywords: Mapping[str, Any]) -> BaseChatModel | None:
    """A provider that `init_chat_model` knows and no dialect names; None if it doesn't either."""
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(name, **keywords)  # type: ignore[no-any-return]  # its overloads are not exported typed
    except (ValueError, ImportError):
        return None


def _by_card(card: ModelCard) -> BaseChatModel:
    from langchain_router.endpoint import ChatEndpoint  # here, because it loads the HTTP client

    return ChatEndpoint.from_card(card)


def _by_endpoint(name: str, api_key: str | None) -> BaseChatModel:
    from langchain_router.endpoint import ChatEndpoint

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
