"""genai-prices' prices and counts in our terms, so that two arithmetics and two tables can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from genai_prices import data_snapshot
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices
from genai_prices.types import Usage as TheirUsage

from capability_router import Price, Tier, Usage
from capability_router.catalog.known import snapshot

CONTEXTS = {
    "": None, "batch": {"processing": "batch"}, "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}  # fmt: skip
PROVIDERS = {"xai": "x-ai", "bedrock": "aws", "moonshot": "moonshotai", "huggingface": ""}
KINDS = {
    "input": "input_mtok", "output": "output_mtok", "read": "cache_read_mtok", "write": "cache_write_mtok",
    "write_1h": "cache_write_1h_mtok", "audio": "input_audio_mtok", "audio_out": "output_audio_mtok",
    "audio_read": "cache_audio_read_mtok", "image": "input_image_mtok", "image_out": "output_image_mtok",
    "image_read": "cache_image_read_mtok",
}  # fmt: skip
"""A kind of token, as `Rates` names it -> its price's name, the same on both sides."""
_NONE = {key: 0 for key, unit in unit_data.items() if unit["dimensions"].get("family") == "tokens"}


class Pair(NamedTuple):
    """A model of our catalog and the same at genai-prices."""

    provider: str
    model: str
    ours: Price
    theirs: Price


def as_of() -> datetime:
    """The day of our snapshot, at an hour when DeepSeek charges in full: that is the price which our source has."""
    return datetime.combine(datetime.fromisoformat(snapshot.builtin().as_of), time(2), UTC)


def every_model() -> Iterator[tuple[Provider, ModelInfo]]:
    """All of theirs that charge for tokens in and tokens out."""
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            prices = model.get_prices(as_of())
            if prices.input_mtok is not None and prices.output_mtok is not None:
                yield provider, model


def catalog_pairs() -> list[Pair]:
    """Every model of our catalog that has a price and is found at genai-prices under the same provider."""
    known = {provider.id: provider for provider in data_snapshot.get_snapshot().providers}
    found = []
    for name, model, price in catalog_prices():
        provider = known.get(PROVIDERS.get(name, name))
        theirs = provider.find_model(model) if provider is not None else None
        if theirs is not None and converted(theirs) is not None:
            found.append(Pair(name, model, price, converted(theirs)))
    return found


def catalog_prices() -> Iterator[tuple[str, str, Price]]:
    """Provider, model and price of all that our catalog prices."""
    for provider in snapshot.providers():
        for model in snapshot.listed(provider):
            price = (snapshot.lookup(provider, model) or {}).get("price")
            if price is not None and price.known:
                yield provider, model, price


def converted(model: ModelInfo) -> Price | None:
    """Their price of a model as ours, services and tiers included; None where they don't price both sides."""
    plain = _price(model.get_prices(as_of()))
    if not plain.known:
        return None
    services = {}
    for service, context in CONTEXTS.items():
        own = model.get_prices(as_of(), context) if context else None
        if own is not None and (price := _price(own)) != plain:
            services[service] = price
    return replace(plain, services=services)


def _price(prices: ModelPrice) -> Price:
    starts = {tier.start for key in KINDS.values() for tier in _tiers(getattr(prices, key))}
    requests = getattr(prices, "requests_kcount", None)
    fixed = None if requests is None else _from(requests, 0) / 1_000
    tiers = tuple(Tier(start, Price(**_row(prices, start + 1), per_request=fixed)) for start in sorted(starts))
    return Price(**_row(prices, 0), per_request=fixed, tiers=tiers)


def _row(prices: ModelPrice, size: int) -> dict[str, Any]:
    return {key: _from(value, size) for key in KINDS.values() if (value := getattr(prices, key)) is not None}


def _tiers(value: Decimal | TieredPrices | None) -> list[Any]:
    return value.tiers if isinstance(value, TieredPrices) else []


def _from(value: Decimal | TieredPrices, size: int) -> Decimal:
    """What holds for a request of this size."""
    above = [tier.price for tier in _tiers(value) if size > tier.start]
    base = value.base if isinstance(value, TieredPrices) else value
    return above[-1] if above else base


def their_usage(usage: Usage) -> TheirUsage:
    """Our counts under their names."""
    return TheirUsage(**{
        **_NONE,
        "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_creation_tokens,
        "cache_write_1h_tokens": usage.cache_creation_1h_tokens,
        "cache_write_5m_tokens": usage.cache_creation_tokens - usage.cache_creation_1h_tokens,
        "input_audio_tokens": usage.input_audio_tokens, "output_audio_tokens": usage.output_audio_tokens,
        "input_image_tokens": usage.input_image_tokens, "output_image_tokens": usage.output_image_tokens,
        "cache_audio_read_tokens": usage.cache_audio_read_tokens,
        "cache_image_read_tokens": usage.cache_image_read_tokens,
    })  # fmt: skip


def their_cost(provider: Provider, model: ModelInfo, usage: Usage) -> Decimal:
    """What genai-prices makes of it, in USD."""
    context = CONTEXTS[usage.service_tier]
    told = model.calc_price(
        their_usage(usage), provider, genai_request_timestamp=as_of(), price_context=context
    )  # fmt: skip
    return told.total_price
