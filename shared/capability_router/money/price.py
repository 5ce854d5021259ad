"""Prices and exact money: integer picodollars (1e-12 USD) inside, Decimal USD at the edge.

A price is quoted in USD per million tokens (genai-prices' names). One USD per million tokens is
1,000,000 picodollars per token, so every price with up to six decimals is a whole number and the
sums are exact. What a token costs is settled when a Price is made; to price a call is then a few
multiplications.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from operator import mul
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.request import SERVICE_TIERS, Usage

PICO_PER_USD = Decimal(10**12)
_PICO_PER_TOKEN = Decimal(10**6)  # of a price of 1 USD per million tokens
_EXACT = Context(prec=100)  # the caller's own may round
_LARGEST = 60  # decimal exponent of an amount; a text of a few letters can say more than memory holds
Number = int | float | str | Decimal


def usd(pico: int) -> Decimal:
    """Picodollars as exact USD."""
    return Decimal(f"{pico}e-12")


def pico(amount: Number) -> int:
    """USD as picodollars; raises ConfigError for what is not a finite amount >= 0, or none that is thinkable."""
    return int(_EXACT.multiply(_decimal("amount", amount), PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def _decimal(name: str, value: Any) -> Decimal:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")  # a bool too
    if not number.is_finite() or number < 0 or (number and number.adjusted() > _LARGEST):
        raise ConfigError(f"{name} must be a finite number of USD, 0 or more; got {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Tier:
    """The prices that hold for the whole request once its input exceeds `above` tokens."""

    above: int
    price: Price


class Rates(NamedTuple):
    """Picodollars per token, one for each kind of token."""

    input: int
    output: int
    read: int
    write: int
    write_1h: int
    audio: int
    audio_out: int
    audio_read: int
    image: int
    image_out: int
    image_read: int


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None = unknown, which is never taken for free.

    What is missing falls back: the price of a special kind of token to the plain input or output price (a
    write that is kept for an hour to the plain write's, cached audio and images to their own uncached price
    where that is not the text's, else to the cached one). `per_request` is USD for each call. `tiers` and
    `services` (prices of "batch", "flex", "priority") stand for themselves: what they leave out falls back to
    their own plain price. Raises ConfigError for NaN or negative.
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
    cache_write_1h_mtok: Number | None = None
    cache_audio_read_mtok: Number | None = None
    input_image_mtok: Number | None = None
    output_image_mtok: Number | None = None
    cache_image_read_mtok: Number | None = None
    services: Mapping[str, Price] = field(default_factory=dict, hash=False)
    _rates: Rates | None = field(init=False, repr=False, compare=False)
    _fixed: int = field(init=False, repr=False, compare=False)
    _dearest: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in AMOUNTS:
            value = getattr(self, name)
            if value is not None:
                _decimal(f"price.{name}", value)
        rates = self._per_token()
        object.__setattr__(self, "_rates", rates)
        object.__setattr__(self, "_dearest", (0, 0) if rates is None else _dearest(rates))
        object.__setattr__(self, "_fixed", 0 if self.per_request is None else pico(self.per_request))
        object.__setattr__(self, "tiers", tuple(sorted(self.tiers, key=lambda t: t.above)))
        bounds = [tier.above for tier in self.tiers]
        if len({*bounds}) < len(bounds) or min(bounds, default=0) < 0:
            raise ConfigError(f"price.tiers: above must be 0 or more, and each another; got {bounds}")
        for name in self.services:
            if name not in SERVICE_TIERS:
                raise ConfigError(f"price.services: unknown {name!r}{nearest(name, SERVICE_TIERS)}")
        if any(part.services for part in (*self.services.values(), *(t.price for t in self.tiers))):
            raise ConfigError("price.services: the price of a tier or of a service has no services of its own")

    def _per_token(self) -> Rates | None:
        if self.input_mtok is None or self.output_mtok is None:
            return None
        plain, out = _rate(self.input_mtok), _rate(self.output_mtok)
        read, write = _rate(self.cache_read_mtok, plain), _rate(self.cache_write_mtok, plain)
        audio, image = _rate(self.input_audio_mtok, plain), _rate(self.input_image_mtok, plain)
        return Rates(
            plain, out, read, write, _rate(self.cache_write_1h_mtok, write),
            audio, _rate(self.output_audio_mtok, out),
            _rate(self.cache_audio_read_mtok, read if audio == plain else audio),
            image, _rate(self.output_image_mtok, out),
            _rate(self.cache_image_read_mtok, read if image == plain else image),
        )  # fmt: skip

    def stated(self) -> dict[str, Any]:
        """JSON-safe, for `parse`: the amounts that are stated, floats, and those of tiers; no services."""
        own: dict[str, Any] = {name: float(v) for name in AMOUNTS if (v := getattr(self, name)) is not None}
        tiers = [{"above": tier.above, "price": tier.price.stated()} for tier in self.tiers]
        return {**own, "tiers": tiers} if tiers else own

    @property
    def known(self) -> bool:
        """Whether a call can be priced at all."""
        return self._rates is not None

    @property
    def rates(self) -> Rates | None:
        """Picodollars per token of each kind, below every tier; None = unknown."""
        return self._rates

    @property
    def linear(self) -> tuple[int, int, int] | None:
        """Picodollars per token of input, per token of output and per call; None = unknown, or another by size."""
        rates = self._rates
        return None if rates is None or self.tiers else (rates.input, rates.output, self._fixed)

    def at(self, input_tokens: int) -> Price:
        """The price that holds for a request of this input: the highest tier's that it exceeds, else this one."""
        return self._tier(input_tokens) if self.tiers and input_tokens > self.tiers[0].above else self

    def under(self, service: str) -> Price:
        """The price that holds in a service tier; this one where none is known for it."""
        own = self.services.get(service)
        return self if own is None or own._rates is None else own

    def asked(self, service: str) -> Price | None:
        """The price to plan with when a call asks for a service tier.

        A service tier without a known price is unknown, but "batch" and "flex" are never dearer than usual.
        """
        own = self.under(service)
        return None if own is self and service and service not in _CHEAPER else own

    def estimate(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int | None:
        """Picodollars for a call of this size, `cached_tokens` of its input read from a cache; None = price unknown."""
        rates = self._rates
        if rates is None:
            return None
        if self.tiers and input_tokens > self.tiers[0].above:
            return self._tier(input_tokens).estimate(input_tokens, output_tokens, cached_tokens)
        saved = (rates[0] - rates[2]) * min(cached_tokens, input_tokens) if cached_tokens else 0
        return rates[0] * input_tokens + rates[1] * output_tokens + self._fixed - saved

    def worst(
        self, input_tokens: int, output_tokens: int, *, media: Collection[str] = (), service: str = ""
    ) -> int | None:
        """Picodollars that such a call can come to at most: what a budget reserves. None when it is unknown.

        The input is an estimate, so a quarter is added. Every input token is taken for one of the dearest
        kind that the call can hold (`media`: its attached parts, "audio" or "image"; writes to a cache
        always), in the dearest tier up to that size. A call that asks for a `service` may be served under it or as
        usual; a service tier without a known price is dearer than usual, unless it is "batch" or "flex".
        """
        size = input_tokens + input_tokens // 4
        if not service:
            return self._worst(size, output_tokens, media)
        own = self.asked(service)
        if own is None:
            return None
        parts = [price._worst(size, output_tokens, media) for price in (self, own)]
        return None if None in parts else max(part for part in parts if part is not None)

    def _worst(self, size: int, output_tokens: int, media: Collection[str]) -> int | None:
        rates = self._rates
        if rates is None:
            return None
        dearest, out = self._dearest
        if media:
            dearest = max((dearest, *(rates[i] for kind in media for i in _OF_MEDIA.get(kind, ()))))
        most = dearest * size + out * output_tokens + self._fixed
        for tier in self.tiers:
            if size <= tier.above:
                break
            own = tier.price._worst(size, output_tokens, media)
            if own is None:
                return None
            most = max(most, own)
        return most

    def cost(self, usage: Usage) -> int | None:
        """Picodollars for these tokens; None when the price is unknown."""
        price = self.under(usage.service_tier) if usage.service_tier else self
        if price.tiers and usage.input_tokens > price.tiers[0].above:
            price = price._tier(usage.input_tokens)
        rates = price._rates
        if rates is None:
            return None
        if _of_text_alone(usage):  # as of most calls
            return rates[0] * usage.input_tokens + rates[1] * usage.output_tokens + price._fixed
        tokens: int = sum(map(mul, rates, _by_kind(usage)))
        return tokens + price._fixed

    def _tier(self, input_tokens: int) -> Price:
        return [t for t in self.tiers if input_tokens > t.above][-1].price

    @classmethod
    def parse(cls, value: Price | Mapping[str, Any]) -> Price:
        """A Price from a mapping of its fields (`tiers: [{above, price}]`, `services: {batch: price}`).

        Unknown keys raise ConfigError.
        """
        if isinstance(value, Price):
            return value
        known = {f.name for f in fields(cls) if f.init}
        if not isinstance(value, Mapping) or set(value) - known:
            raise ConfigError(_no_price(value, known))
        tiers = _tiers(value.get("tiers") or ())
        services = value.get("services") or {}
        if not isinstance(services, Mapping):
            raise ConfigError(f"price.services must be a mapping of {', '.join(SERVICE_TIERS)} to prices")
        return cls(**{**value, "tiers": tiers, "services": {name: cls.parse(own) for name, own in services.items()}})


RATES = (
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok",
    "input_audio_mtok", "output_audio_mtok", "cache_audio_read_mtok",
    "input_image_mtok", "output_image_mtok", "cache_image_read_mtok",
)  # fmt: skip
"""The fields of a Price that are USD per million tokens of one kind."""
AMOUNTS = (*RATES, "per_request")
"""All fields of a Price that are USD."""
_CHEAPER = ("batch", "flex")
_OF_MEDIA = {"audio": (5, 7), "image": (8, 10)}  # places in Rates


def _no_price(value: Any, known: Collection[str]) -> str:
    if not isinstance(value, Mapping):
        return (
            f"price must be a mapping such as {{input_mtok: 1, output_mtok: 4}} (USD per million tokens), got {value!r}"
        )
    odd = min(set(value) - set(known), key=str)
    return f"price: unknown key {odd!r}{nearest(odd, sorted(known))}"


def _tiers(value: Any) -> tuple[Tier, ...]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise ConfigError(f"price.tiers must be a list of {{above: tokens, price: ...}}, got {value!r}")
    return tuple(tier if isinstance(tier, Tier) else _one_tier(tier) for tier in value)


def _one_tier(value: Any) -> Tier:
    whole = isinstance(value, Mapping) and set(value) == {"above", "price"}
    above = value["above"] if whole else None
    if isinstance(above, bool) or not str(above).removeprefix("-").isdecimal():
        raise ConfigError(f"price.tiers: each is {{above: whole tokens, price: ...}}, got {value!r}")
    return Tier(int(str(above)), Price.parse(value["price"]))


def _dearest(rates: Rates) -> tuple[int, int]:
    """Of a token of input without media, and of one of output."""
    plain = max(rates.input, rates.read, rates.write, rates.write_1h)
    return plain, max(rates.output, rates.audio_out, rates.image_out)


def _rate(usd_per_mtok: Number | None, otherwise: int = 0) -> int:
    if usd_per_mtok is None:
        return otherwise
    return int(_EXACT.multiply(Decimal(str(usd_per_mtok)), _PICO_PER_TOKEN).to_integral_value(ROUND_HALF_EVEN))


def _of_text_alone(usage: Usage) -> bool:
    """Whether there are no tokens of caches, audio or images, which have prices of their own."""
    special = (
        usage.cache_read_tokens or usage.cache_creation_tokens or usage.cache_creation_1h_tokens
        or usage.input_audio_tokens or usage.output_audio_tokens or usage.cache_audio_read_tokens
        or usage.input_image_tokens or usage.output_image_tokens or usage.cache_image_read_tokens
    )  # fmt: skip
    return not special and usage.input_tokens >= 0 and usage.output_tokens >= 0


def _by_kind(usage: Usage) -> tuple[int, ...]:
    """Each token once, in the order of Rates.

    Not every provider reports how much of its audio or images was read from a cache: parts that together
    are more than the whole overlap at least that much. A part of one part is no more than that.
    """
    read, write = usage.cache_read_tokens, usage.cache_creation_tokens
    audio, image = usage.input_audio_tokens, usage.input_image_tokens
    hour = min(usage.cache_creation_1h_tokens, write)
    audio_read = min(usage.cache_audio_read_tokens, audio, read)
    image_read = min(usage.cache_image_read_tokens, image, read - audio_read)
    plain = usage.input_tokens - read - write - audio - image + audio_read + image_read
    if plain < 0:
        both = max(min(-plain, image - image_read, read - audio_read - image_read), 0)
        image_read, plain = image_read + both, plain + both
        both = max(min(-plain, audio - audio_read, read - audio_read - image_read), 0)
        audio_read, plain = audio_read + both, 0
    audio_out, image_out = usage.output_audio_tokens, usage.output_image_tokens
    return (
        plain, max(usage.output_tokens - audio_out - image_out, 0), read - audio_read - image_read,
        write - hour, hour,
        audio - audio_read, audio_out, audio_read, image - image_read, image_out, image_read,
    )  # fmt: skip
