"""What one source says of many models, in the words of our cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Fields = dict[str, Any]
"""Card fields, prices as mappings. `window` is a number that is either the whole window or its input part;

`retires` the day (YYYY-MM-DD) on which the model is switched off.
"""
Models = dict[str, dict[str, Fields]]
"""Provider (our name for it) -> model -> fields."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A source's statements. `as_of` (YYYY-MM-DD): the day for which they hold."""

    source: str
    as_of: str
    models: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def __len__(self) -> int:
        return sum(map(len, self.models.values()))


def tokens(value: Any) -> int | None:
    """A number of tokens; None for what is none."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if plain and 0 < value < 1e12 else None


def mtok(value: Any, per: int = 1) -> float | int | None:
    """USD per `per` tokens as USD per million, to six decimals; None for what is no amount of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value)) * 1_000_000 / per
    except ArithmeticError:
        return None
    if not number.is_finite() or not 0 <= number < 10**9:
        return None
    rounded = number.quantize(Decimal("0.000001")).normalize()
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def known(fields: Mapping[str, Any]) -> Fields:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}


def priced(rates: Mapping[str, Any], *, free: bool = False) -> Fields | None:
    """The rates, when both sides are told; both 0 stands for "not told", unless it is known to be `free`.

    A special kind of token for 0 USD is taken as not told, so it falls back to the plain price.
    """
    plain = ("input_mtok", "output_mtok")
    told = {k: v for k, v in rates.items() if v is not None and (v or k in plain)}
    both = all(name in told for name in plain)
    return told if both and (free or told["input_mtok"] or told["output_mtok"]) else None
