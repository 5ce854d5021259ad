"""How a ChatRouter is built: its own fields, settings of the core, or an existing Router."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from capability_router.errors import ConfigError
from capability_router.router import Router
from capability_router.settings.keywords import attempts_of, check_constructor, check_router
from langchain_router.fleet.description import describe
from langchain_router.fleet.model_fleet import ModelFleet

if TYPE_CHECKING:
    from langchain_router.chat_model import ChatRouter


def parted(keywords: Mapping[str, Any], fields: Container[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keywords into fields and settings of the core."""
    own = {name: value for name, value in keywords.items() if name in fields}
    return own, {name: value for name, value in keywords.items() if name not in own}


def fields_of(
    models: Iterable[Any] | None, router: Router | None, own: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """All fields of a ChatRouter over these models, or over this router. Raises ConfigError."""
    if own.get("cache"):
        raise ConfigError("ChatRouter takes no cache=; give the cache to the models, which serve it themselves")
    check_settings(settings, models)
    if router is None:
        router = Router(models or (), describe=describe, api_key=plain_key(own), **core_settings(own, settings))
        own = with_attempts(own, router)
    else:
        _check_beside(router, models, own, settings)
    fleet = own.get("fleet") or ModelFleet(router.registry, api_key=plain_key(own))
    router.count_with(fleet.tokens, "of the first model")
    return {**own, "router": router, "fleet": fleet}


def check_settings(settings: Mapping[str, Any], models: Any) -> None:
    """Raise ConfigError for keywords that are neither settings nor fields, such as those of ChatOpenAI."""
    if settings:
        check_constructor("ChatRouter", settings, ("router", *_FIELDS), models, "bind it: llm.bind({}=...)")


_FIELDS = (
    "temperature", "max_tokens", "stop", "timeout", "max_retries", "api_key", "streaming", "callbacks", "tags",
    "metadata", "rate_limiter", "output_version", "disable_streaming", "verbose",
)  # fmt: skip
"""Those of a ChatRouter that a misspelt keyword may have meant."""


def plain_key(own: Mapping[str, Any]) -> str | None:
    """The key of "provider:model" entries, if one was given."""
    key = own.get("api_key")
    return key.get_secret_value() if isinstance(key, SecretStr) else key


def _check_beside(
    router: Router, models: Iterable[Any] | None, own: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    check_router("ChatRouter", router, Router)
    if models is not None or settings:
        given = ", ".join(["models"] * (models is not None) + list(settings))
        raise ConfigError(f"router= brings its own models and settings; leave out {given}, or leave out router=")
    retries = own.get("max_retries")
    if retries is not None and attempts_of(retries) != router.settings.retry.attempts:
        raise ConfigError("router= brings its own attempts; leave out max_retries, or set it there")


def core_settings(own: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The core's settings, with those that LangChain's own words for a model stand for: its `name` is the router's."""
    told = {"name": own["name"], **settings} if own.get("name") else dict(settings)
    if own.get("max_retries") is None:
        return told
    return {**told, "retry": {"attempts": attempts_of(own["max_retries"]), **(settings.get("retry") or {})}}


def with_attempts(own: Mapping[str, Any], router: Router) -> dict[str, Any]:
    """The fields, with the `max_retries` that is in force if `retry` states the attempts too."""
    stated = own.get("max_retries") is not None
    return {**own, **({"max_retries": router.settings.retry.attempts - 1} if stated else {})}


_SETTLED = ("router", "fleet", "max_retries", "api_key", "cache")


def check_update(model: ChatRouter, update: Mapping[str, Any]) -> None:
    """Raise ConfigError for fields that went into the Router or the models, because a copy shares those."""
    for name in _SETTLED:
        if name in update and not _in_force(model, name, update[name]):
            raise ConfigError(
                f"a copy of a ChatRouter shares its router and its models, so it can have no other {name}; "
                "make a ChatRouter with it"
            )


def check_assignment(model: ChatRouter, name: str, value: Any) -> None:
    """Raise ConfigError if these fields are set on an existing object, where they would have no effect."""
    if name in _SETTLED and not _in_force(model, name, value):
        raise ConfigError(
            f"{name} went into the router and its models when they were made, so setting it would have no effect; "
            "make a ChatRouter with it"
        )


def _in_force(model: ChatRouter, name: str, value: Any) -> bool:
    if name == "max_retries":
        return value in (None, model.max_retries, model.router.settings.retry.attempts - 1)
    now = getattr(model, name)
    return value is now or bool(value == now)
