"""What the requests would have cost with always the same model, and which model is the strongest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.money.price import Price
from capability_router.report.request_row import own_usd, short
from capability_router.request import Usage

Record = Mapping[str, Any]
_OFTEN = 0.5
"""The share of the requests that a model must have been eligible for to be taken for the strongest by itself."""
_MOST_PICO = 10**24  # of one request; what is beyond is no price
_MOST = 1_000  # models that are kept apart


@dataclass(slots=True)
class SingleModelTotals:
    """One model over the answered requests that it could have taken. Money in picodollars.

    `requests`: those whose cost both there and in fact is known, with both sums; `guessed` of them have the cost that
    their plan expected, because the log holds no price. `predicted`: requests with a predicted `quality`, summed.
    """

    requests: int = 0
    cost_pico: int = 0
    spent_pico: int = 0
    guessed: int = 0
    predicted: int = 0
    quality: float = 0.0

    def add(self, other: SingleModelTotals) -> None:
        """Requests that were gathered apart."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def mean_quality(self) -> float | None:
        """Predicted, of the requests it could have taken."""
        return self.quality / self.predicted if self.predicted else None


class Savings(NamedTuple):
    """Against always the `strongest`: what was spent on `requests` of `answered`, and what it would have cost."""

    strongest: str
    chosen_by: str
    answered: int
    requests: int
    spent_pico: int
    always_pico: int
    guessed: int

    @property
    def saved_pico(self) -> int:
        """Below 0: it cost more."""
        return self.always_pico - self.spent_pico


class Prices:
    """The prices in records, parsed once for each that differs."""

    def __init__(self) -> None:
        self._last: tuple[object, dict[str, Price]] = (None, {})

    def of(self, record: Record) -> dict[str, Price]:
        """By model; what is no price is left out."""
        stated = (record.get("basis") or {}).get("prices") or {}
        if stated != self._last[0]:
            found = ((id, _parsed(each)) for id, each in list(stated.items())[:_MOST])
            self._last = (stated, {id: price for id, price in found if price is not None})
        return self._last[1]


def _parsed(stated: object) -> Price | None:
    if not isinstance(stated, Mapping):
        return None
    try:
        return Price.parse(stated)
    except (ConfigError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None


class SingleModelComparison:
    """Gathers an SingleModelTotals per model, and one per shadow's policy, of the models that it would have asked."""

    def __init__(self) -> None:
        self.models: dict[str, SingleModelTotals] = {}
        self.shadows: dict[str, SingleModelTotals] = {}
        self.answered = 0
        self._prices = Prices()

    def take(self, record: Record) -> None:
        """An answered request counts for each model that was eligible."""
        if record.get("model") is None:
            return
        self.answered += 1
        spent, used = record.get("cost_pico"), _usage(record)
        prices = self._prices.of(record)
        for candidate in (record.get("plan") or {}).get("candidates") or ():
            always = _of(self.models, candidate["id"])
            if always is not None:
                _count(always, candidate, prices.get(candidate["id"]), used, spent)
        shadow = record.get("shadow") or {}
        if shadow.get("chosen") is not None:
            always = _of(self.shadows, shadow.get("policy") or "")
            if always is not None:
                _count(always, shadow, prices.get(shadow["chosen"]), used, spent)

    def add(self, other: SingleModelComparison) -> None:
        """Requests that were gathered apart."""
        self.answered += other.answered
        for held, found in ((self.models, other.models), (self.shadows, other.shadows)):
            for name, each in found.items():
                always = _of(held, name)
                if always is not None:
                    always.add(each)

    def strongest(self) -> tuple[str, str] | None:
        """Its id and how it was chosen; None = no request says which models could have taken it."""
        usual = {id: a for id, a in self.models.items() if a.predicted >= _OFTEN * self.answered}
        known = {id: a for id, a in (usual or self.models).items() if a.predicted}
        if known:
            best = max(known, key=lambda id: (known[id].mean_quality or 0.0, id))
            return best, f"the highest predicted quality, {known[best].mean_quality:.2f} on average"
        priced = {id: a.cost_pico / a.requests for id, a in self.models.items() if a.requests}
        return (
            (max(priced, key=lambda id: (priced[id], id)), "the dearest: nothing predicts quality") if priced else None
        )

    def savings(self, model: str | None = None) -> Savings | None:
        """Against `model`, else the strongest; None = there is nothing to compare with."""
        chosen = (model, "as asked for") if model is not None else self.strongest()
        always = self.models.get(chosen[0]) if chosen else None
        if chosen is None or always is None or not always.requests:
            return None
        sums = (always.requests, always.spent_pico, always.cost_pico, always.guessed)
        return Savings(*chosen, self.answered, *sums)


def _of(held: dict[str, SingleModelTotals], name: str) -> SingleModelTotals | None:
    """Its SingleModelTotals; None beyond a bound."""
    found = held.get(short(name))
    if found is None and len(held) < _MOST:
        found = held[short(name)] = SingleModelTotals()
    return found


def _count(always: SingleModelTotals, candidate: Record, price: Price | None, used: Usage, spent: int | None) -> None:
    if candidate.get("quality") is not None:
        always.predicted += 1
        always.quality += float(candidate["quality"])
    pico, usd = price.cost(used) if price is not None else None, own_usd(candidate)
    guessed = pico is None and usd is not None
    if guessed and usd is not None:
        pico = round(usd * 1e12)
    if pico is not None and pico <= _MOST_PICO and spent is not None:
        always.requests += 1
        always.cost_pico += pico
        always.spent_pico += int(spent)
        always.guessed += guessed


def _usage(record: Record) -> Usage:
    """The answer's tokens, as the model that gave it counted them."""
    last: Record = next((a for a in reversed(record["attempts"]) if a.get("fault") is None), {})
    into, out, read = (
        int(held.get(name) or 0)
        for held, name in ((record, "input_tokens"), (record, "output_tokens"), (last, "cache_read_tokens"))
    )
    return Usage(into, out, cache_read_tokens=min(read, into))
