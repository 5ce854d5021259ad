"""Keywords of a constructor that are neither settings of the router nor the adapter's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from capability_router.errors import ConfigError
from capability_router.nearest import nearest

_SHORT = ("token_counter", "embedder")
_PASSED_ON = ("clock",)  # to the Router itself: tests and simulations bring their own time
_ALIKE = 0.75  # a model's setting that is somewhat like one of ours (model_kwargs, models) is no misspelling of it


_MOST_RETRIES = 19  # `retry.attempts` is at most 20


def attempts_of(max_retries: Any) -> int:
    """The attempts in all that an adapter's `max_retries` stands for; digits are a number, as models read them."""
    told = int(max_retries) if isinstance(max_retries, str) and max_retries.isdecimal() else max_retries
    if not isinstance(told, int) or not 0 <= told <= _MOST_RETRIES:
        raise ConfigError(f"max_retries must be a whole number from 0 to {_MOST_RETRIES}, got {max_retries!r}")
    return told + 1


def check_router(whose: str, router: Any, kind: type) -> None:
    """Raise ConfigError for another thing than a Router in its place."""
    if not isinstance(router, kind):
        raise ConfigError(
            f"{whose}(router=...) takes a capability_router.Router, got a {type(router).__name__}; a configuration "
            f"is for {whose}.from_config(...), models are for models=[...], and an adapter's Router is its .router"
        )


def check_constructor(whose: str, given: Mapping[str, Any], own: Iterable[str], models: Any, per_call: str) -> None:
    """ConfigError for a keyword that means nothing here: which was meant, or where it goes.

    `given`: those that are not the adapter's `own`; None = not given. `models`: what was given as such; their own
    settings are recognised. `per_call`: how a model's setting goes with a
    call, with {} for its name.
    """
    stated = [name for name, value in given.items() if value is not None]
    if not stated:
        return
    from capability_router.settings.problems import home  # here, because these load pydantic
    from capability_router.settings.router_yaml import RouterYaml

    settings = [*RouterYaml.model_fields, *_SHORT]
    for name in stated:
        if name in settings or name in _PASSED_ON:
            continue
        where, model = f"give it to the model, or {per_call.format(name)}", _owner(name, models)
        if model:
            raise ConfigError(f"{whose} takes no {name}=; it is a setting of {model}: {where}")
        if name == "seed":  # models have one, too
            raise ConfigError(f"{whose} takes no seed=; a model's: {where}; that of the router: policy: {{seed: ...}}")
        if not home(name, RouterYaml):  # else the settings themselves say in which block it belongs
            known = [*own, *settings]
            other = f". If it is a setting of a model, {where}. {whose} takes {', '.join(known)}"
            raise ConfigError(f"{whose} takes no {name}={nearest(name, known, other, likeness=_ALIKE)}")


def _owner(name: str, models: Any) -> str:
    """The class of the first model that has such a setting; "" = none, or they are not objects."""
    given = models if isinstance(models, (list, tuple)) else ()
    objects = (entry[0] if isinstance(entry, tuple) and entry else entry for entry in given)
    return next((type(each).__name__ for each in objects if name in _settings_of(type(each))), "")


def _settings_of(kind: type) -> set[str]:
    """The names and aliases of a pydantic class's fields."""
    fields: Mapping[str, Any] = getattr(kind, "model_fields", {})
    return {*fields, *(info.alias for info in fields.values() if info.alias)}
