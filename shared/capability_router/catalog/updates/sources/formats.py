"""Which list a piece of JSON is, and where each is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from capability_router.catalog.updates.sources import litellm, models_dev, openrouter
from capability_router.catalog.updates.sources.listing import Listing, Models
from capability_router.errors import ConfigError


class Format(NamedTuple):
    """A kind of list: how to know it, how to read it."""

    name: str
    url: str
    fits: Callable[[Any], bool]
    read: Callable[[Mapping[str, Any]], Models]


FORMATS: dict[str, Format] = {
    module.NAME: Format(module.NAME, module.URL, module.fits, module.read)
    for module in (models_dev, litellm, openrouter)
}
"""Source -> its format."""


def listing(data: Any, origin: str, as_of: str) -> Listing:
    """The statements in this JSON, whichever list it is.

    Raises ConfigError when it is none that is known, or has no model in it.
    """
    for name, format_ in FORMATS.items():
        if format_.fits(data):
            models = format_.read(data)
            if not any(models.values()):
                raise ConfigError(f"{origin}: a list in the format of {name}, but without a chat model")
            return Listing(name, as_of, models)
    raise ConfigError(f"{origin}: {_looks(data)}; known formats: {', '.join(FORMATS)} and this package's own catalog")


def _looks(data: Any) -> str:
    if isinstance(data, Mapping):
        return f"no list of models that is known (a mapping with {', '.join(map(repr, list(data)[:4])) or 'nothing'})"
    return f"no list of models (a {type(data).__name__})"
