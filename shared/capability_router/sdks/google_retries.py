"""Switches off google-genai's own retries in the settings of each call.

After a broken connection it repeats an awaited call once, up to ten seconds later, unless the call sets retry options.
It also repeats as often as its client's options say. Nothing of it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ONCE: Mapping[str, Any] = {"retry_options": {"attempts": 1}}


def config_without_retries(config: Any) -> Any:
    """The configuration of a call, an object or a mapping, with which the call is sent once.

    Retry options that the user has set in it stay. An object that has no field for them is returned unchanged.
    """
    if config is None or isinstance(config, Mapping):
        given = (config or {}).get("http_options")
        return {**(config or {}), "http_options": _with_once(given)}
    if "http_options" not in getattr(type(config), "model_fields", ()):
        return config
    given = config.http_options
    told = type(config)(http_options=_ONCE).http_options if given is None else _with_once(given)
    return config.model_copy(update={"http_options": told})


def _with_once(options: Any) -> Any:
    if options is None or isinstance(options, Mapping):
        return {**_ONCE, **{name: value for name, value in (options or {}).items() if value is not None}}
    if getattr(options, "retry_options", None) is not None:
        return options
    return options.model_copy(update={"retry_options": type(options)(**_ONCE).retry_options})
