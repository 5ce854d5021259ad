"""Prices and exact money: integer picodollars (1e-12 USD) inside, Decimal USD at the edge.

A price is quoted in USD per million tokens (genai-prices' names). One USD per million tokens is
1,000,000 picodollars per token, so every price with up to six decimals is a whole number and the
sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from capability_router.errors import ConfigError
from capability_router.request import Usage

PICO_PER_USD = 10**12
_PICO_PER_TOKEN = 10**6  # of a price of 1 USD per million tokens
Number = int | float | str | Decimal


def usd(pico: int) -> Decimal:
    """Picodollars as exact USD."""
    return Decimal(pico).scaleb(-12)


def pico(amount: Number) -> int:
    """USD as picodollars; raises ConfigError for what is not a finite amount >= 0."""
    return int((_decimal("amount", amount) * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def _decimal(name: str, value: Any) -> Decimal:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise ConfigError(f"{name} must be a finite number of USD, 0 or more; got {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Tier:
    """The prices that hold for the whole request once its input exceeds `above` tokens."""

    above: int
    price: Price


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None = unknown, which is never taken for free.

    A missing `cache_read_mtok`, `cache_write_mtok` or audio price falls back to the plain input or
    output price. `per_request` is USD for each call. Raises ConfigError for NaN or negative.
    """

    input_mtok: Number | None = None
    output_mtok: Number | None = None
    cache_read_mtok: Number | None = None
    cache_write_mtok: Number | None = None
    input_audio_mtok: Number | None = None
    output_audio_mtok: Number | None = None
    per_request: Number | None = None
    tiers: tuple[Tier, ...] = ()
    as_of: str | None = None
    source: str | None = None
    _rates: tuple[int, ...] | None = field(init=False, repr=False, compare=False, default=None)
    _fixed: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        for name in _RATES:
            value = getattr(self, name)
            if value is not None:
                _decimal(f"price.{name}", value)
        object.__setattr__(self, "_rates", self._per_token())
        object.__setattr__(self, "_fixed", 0 if self.per_request is None else pico(self.per_request))
        object.__setattr__(self, "tiers", tuple(sorted(self.tiers, key=lambda t: t.above)))

    def _per_token(self) -> tuple[int, ...] | None:
        if self.input_mtok is None or self.output_mtok is None:
            return None
        plain = {"output_mtok": self.output_mtok, "output_audio_mtok": self.output_mtok}
        values = (getattr(self, n) for n in _RATES[:6])
        chosen = (plain.get(n, self.input_mtok) if v is None else v for n, v in zip(_RATES, values, strict=False))
        return tuple(int((Decimal(str(v)) * _PICO_PER_TOKEN).to_integral_value(ROUND_HALF_EVEN)) for v in chosen)

    @property
    def known(self) -> bool:
        """Whether a call can be priced at all."""
        return self._rates is not None

    def estimate(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int | None:
        """Picodollars for a call of this size, `cached_tokens` of its input read from a cache; None = price unknown."""
        rates = self._rates
        if rates is None:
            return None
        if self.tiers and input_tokens > self.tiers[0].above:
            return self._tier(input_tokens).estimate(input_tokens, output_tokens, cached_tokens)
        saved = (rates[0] - rates[2]) * min(cached_tokens, input_tokens) if cached_tokens else 0
        return rates[0] * input_tokens + rates[1] * output_tokens + self._fixed - saved

    def worst(self, input_tokens: int, output_tokens: int) -> int | None:
        """Picodollars that such a call can come to: what a budget reserves. None when the price is unknown.

        The input is an estimate, so a quarter is added; it is priced at the dearer of the input and the
        cache-writing rate, of the tier that the larger input falls into. Audio rates are not foreseen.
        """
        rates, size = self._rates, input_tokens + input_tokens // 4
        if rates is None:
            return None
        if self.tiers and size > self.tiers[0].above:
            return self._tier(size).worst(input_tokens, output_tokens)
        return max(rates[0], rates[3]) * size + rates[1] * output_tokens + self._fixed

    def cost(self, usage: Usage) -> int | None:
        """Picodollars for these tokens; None when the price is unknown."""
        rates = self._rates
        if rates is None:
            return None
        if self.tiers and usage.input_tokens > self.tiers[0].above:
            return self._tier(usage.input_tokens).cost(usage)
        special = usage.cache_read_tokens + usage.cache_creation_tokens + usage.input_audio_tokens
        plain_in = max(usage.input_tokens - special, 0)
        plain_out = max(usage.output_tokens - usage.output_audio_tokens, 0)
        return (
            rates[0] * plain_in + rates[1] * plain_out
            + rates[2] * usage.cache_read_tokens + rates[3] * usage.cache_creation_tokens
            + rates[4] * usage.input_audio_tokens + rates[5] * usage.output_audio_tokens + self._fixed
        )  # fmt: skip

    def _tier(self, input_tokens: int) -> Price:
        return [t for t in self.tiers if input_tokens > t.above][-1].price

    @classmethod
    def parse(cls, value: Price | Mapping[str, Any]) -> Price:
        """A Price from a mapping of its fields (`tiers: [{above, price}]`); unknown keys raise ConfigError."""
        if isinstance(value, Price):
            return value
        known = {f.name for f in fields(cls) if f.init}
        if not isinstance(value, Mapping) or set(value) - known:
            odd = sorted(set(value) - known) if isinstance(value, Mapping) else value
            raise ConfigError(f"price: unknown {odd!r}; known: {', '.join(sorted(known))}")
        tiers = tuple(Tier(int(t["above"]), cls.parse(t["price"])) for t in value.get("tiers", ()))
        return cls(**{**value, "tiers": tiers})


_RATES = (
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok",
    "input_audio_mtok", "output_audio_mtok", "per_request",
)  # fmt: skip
