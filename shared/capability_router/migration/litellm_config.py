"""The blocks of a LiteLLM configuration: of a proxy's config.yaml, or a Router's keywords alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capability_router.errors import ConfigError
from capability_router.migration.note import ImportNotes
from capability_router.migration.provider import parted, provider_access
from capability_router.migration.reliability import Found, setting
from capability_router.migration.remarks import BLOCKS, LIBRARY, ROUTER, SERVER, SILENT, UNKNOWN_SERVER, Remark
from capability_router.migration.source import ConfigSource, Place, read
from capability_router.migration.variables import named

Block = Mapping[str, Any]
READ = frozenset({
    "model_list", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks",
    "max_fallbacks", "model_group_alias", "num_retries", "retry_after", "timeout", "stream_timeout", "request_timeout",
    "allowed_fails", "cooldown_time", "routing_strategy", "routing_groups", "provider_budget_config",
    "enable_tag_filtering", "default_max_parallel_requests", "redis_host", "redis_port", "redis_password", "redis_url",
    "redis_db", "redis_ssl", "default_litellm_params",
})  # fmt: skip
"""Router settings that are converted."""
_LIBRARY_READ = frozenset({
    "num_retries", "request_timeout", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks",
    "default_fallbacks", "max_fallbacks", "allowed_fails", "max_budget", "budget_duration", "tag_budget_config",
    "cache_params", "cache",
})  # fmt: skip
_PARTS = ("model_list", "router_settings", "litellm_settings", "general_settings", "environment_variables",
          "credential_list", "include")  # fmt: skip
_MOST_INCLUDED = 20


@dataclass(frozen=True, slots=True)
class LiteLLMConfig:
    """`models`: of model_list, each with its place. `router`: router_settings; those at the `top` go first."""

    models: list[tuple[Place, Any]]
    top: Block
    router: Block
    library: Block
    credentials: Mapping[str, Block]
    variables: tuple[str, ...] = ()

    def setting(self, word: str) -> Found:
        """From the router's block, else from the library's."""
        library = self.library if word in _LIBRARY_READ else {}
        return setting((self.top, ()), (self.router, ("router_settings",)), (library, ("litellm_settings",)))(word)

    def implied(self) -> Iterator[str]:
        """The variables in which LiteLLM looks for missing keys, and those that it would set."""
        yield from self.variables
        for _, item in self.models:
            params = _mapping(_mapping(item).get("litellm_params"))
            name, provider = params.get("model"), params.get("custom_llm_provider")
            if isinstance(name, str) and not params.get("api_key"):
                found = provider_access(parted(name, str(provider or "")).provider)
                yield from found.keys if found else ()

    def redis(self) -> tuple[Block, Place]:
        """The router settings that may name a Redis, and their place."""
        at_top = any(str(key).startswith("redis_") for key in self.top)
        return (self.top, ()) if at_top else (self.router, ("router_settings",))


def blocks(source: ConfigSource, notes: ImportNotes) -> LiteLLMConfig:
    """Read the existing blocks; raises ConfigError if there are no models."""
    values = source.values
    for name in ("router_settings", "litellm_settings", "general_settings", "environment_variables"):
        if values.get(name) is not None and not isinstance(values[name], Mapping):
            notes.left_out((name,), "it is no mapping", "write it so, and import again")
    parts = {name: _mapping(values.get(name)) for name in _PARTS}
    models = [*_models(values.get("model_list"), ("model_list",), source), *_included(source, notes)]
    if not models:
        raise ConfigError(
            f"{source.path} has no models: a LiteLLM configuration has a `model_list` of {{model_name, litellm_params}}"
        )
    top = {key: value for key, value in values.items() if key not in _PARTS}
    set_there = tuple(map(str, parts["environment_variables"]))
    credentials = _credentials(values, notes)
    found = LiteLLMConfig(models, top, parts["router_settings"], parts["litellm_settings"], credentials, set_there)
    _remark(found, parts, notes)
    return found


def _mapping(value: Any) -> Block:
    return value if isinstance(value, Mapping) else {}


def _models(value: Any, place: Place, source: ConfigSource) -> Iterator[tuple[Place, Any]]:
    if value is not None and not isinstance(value, list):
        raise ConfigError(f"{source.path}: model_list must be a list of deployments")
    for number, item in enumerate(value or ()):
        yield (*place, number), item


def _included(source: ConfigSource, notes: ImportNotes) -> Iterator[tuple[Place, Any]]:
    """The models of included files, which are in the same folder."""
    names = source.values.get("include")
    for number, name in enumerate(names if isinstance(names, list) else ()):
        place: Place = ("include", number)
        plain = isinstance(name, str) and Path(name).name == name != "" and number < _MOST_INCLUDED
        if not plain:
            notes.left_out(place, "only files in the same folder are included", "import that file too")
            continue
        other = read(source.path.with_name(name))
        yield from _models(other.values.get("model_list"), (f"{name}: model_list",), other)
        more = [str(key) for key in other.values if key != "model_list"]
        if more:
            notes.left_out(place, f"of an included file only its models are read, not {', '.join(more[:5])}",
                           "move the rest into the main file, and import again")  # fmt: skip


def _credentials(values: Block, notes: ImportNotes) -> dict[str, Block]:
    found: dict[str, Block] = {}
    listed = values.get("credential_list")
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        name = item.get("credential_name") if isinstance(item, Mapping) else None
        said = item.get("credential_values") if isinstance(item, Mapping) else None
        if isinstance(name, str) and isinstance(said, Mapping):
            found[name] = said
        else:
            notes.left_out(
                ("credential_list", number), "it is no credential", "write credential_name, credential_values"
            )
    return found


def _remark(found: LiteLLMConfig, parts: Mapping[str, Block], notes: ImportNotes) -> None:
    """Report everything that is not read."""
    nowhere = ("no block or setting of LiteLLM's Router has this name", "check how it is spelled")
    ignored = ("LiteLLM's Router has no such setting, and ignores it", "")
    _unread(found.top, (), READ | SILENT, {**BLOCKS, **ROUTER}, nowhere, notes)
    _unread(found.router, ("router_settings",), READ | SILENT, ROUTER, ignored, notes)
    off = {key for key, value in found.library.items() if value is False}
    unknown = ("nothing here corresponds to it", "")
    _unread(found.library, ("litellm_settings",), _LIBRARY_READ | off, LIBRARY, unknown, notes)
    if found.library.get("cache"):
        notes.left_out(("litellm_settings", "cache"), *LIBRARY["cache"])
    _unread(parts["general_settings"], ("general_settings",), frozenset(), SERVER, UNKNOWN_SERVER, notes)
    for key, value in parts["environment_variables"].items():
        _variable(str(key), value, notes)


def _unread(
    block: Block, place: Place, read: Set[str], remarks: Mapping[str, Remark], otherwise: Remark, notes: ImportNotes
) -> None:  # fmt: skip
    for key, value in block.items():
        if key not in read and value is not None:
            notes.left_out((*place, str(key)), *remarks.get(str(key), otherwise))


def _variable(key: str, value: Any, notes: ImportNotes) -> None:
    """Our files set no variables."""
    place: Place = ("environment_variables", key)
    other = named(value)
    if other is not None:
        notes.add("to do", place, "router.yaml sets no variables", f"set {key} to what {other} holds")
    else:
        why = "router.yaml sets no variables, and its value was not copied: it may be secret"
        notes.add("secret", place, why, f"set {key} in the environment")
