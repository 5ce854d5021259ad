"""Prices from the catalog, and prices as users write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.catalog.known import snapshot
from capability_router.errors import ConfigError
from capability_router.money.price import Price

_EXAMPLE = "such as {input_mtok: 0.25, output_mtok: 2} (USD per million tokens)"


def parse(value: Any, owner: str) -> Price | None:
    """A user's price for the model `owner`; raises ConfigError naming the model and the field."""
    if value is None or isinstance(value, Price):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"model {owner!r}: price must be a mapping {_EXAMPLE}, got a {type(value).__name__}")
    try:
        return Price.parse(value)
    except ConfigError as error:
        raise ConfigError(f"model {owner!r}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"model {owner!r}: price.tiers must be a list of {{above: tokens, price: {{...}}}}"
        ) from error


def price_of(provider: str, model: str) -> Price | None:
    """The catalog's price of this model; None = unknown, which never counts as free."""
    return parse((snapshot.lookup(provider, model) or {}).get("price"), f"{provider}/{model}")
