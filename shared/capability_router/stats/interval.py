"""Means and differences with 95 % confidence intervals. Requests of one session count as one observation.

A session's requests resemble each other, and a canary takes sessions, not requests: so the variance is that of the
sessions' totals about the common mean (the ratio estimator), and Student's t has the sessions' degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

LEAST = 20
"""Sessions below which no interval is told: t would promise more than so few can show."""
_Z = NormalDist().inv_cdf(0.975)

Value = tuple[str, float]
"""A session's key and a figure of one of its requests."""


class MeanEstimate(NamedTuple):
    """`error`: standard error. `requests`, `sessions`: what it is made of."""

    value: float
    error: float
    requests: int
    sessions: int


class Difference(NamedTuple):
    """`low` to `high` holds the true one with 95 % confidence; None = too few to say."""

    value: float
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


def mean(values: Iterable[Value], pseudo: tuple[float, ...] = ()) -> MeanEstimate | None:
    """None for no values. `pseudo`: figures of made-up sessions, which widen what would be zero wide.

    They are as long as the others on average: a single request would say nothing beside sessions of twenty.
    """
    totals: dict[str, tuple[float, int]] = {}
    for session, figure in values:
        total, count = totals.get(session, (0.0, 0))
        totals[session] = total + figure, count + 1
    if not totals:
        return None
    requests = sum(count for _, count in totals.values())
    usual = requests / len(totals)
    listed = [*totals.values(), *((figure * usual, usual) for figure in pseudo)]
    weight, number = sum(count for _, count in listed), len(listed)
    value = math.fsum(total for total, _ in listed) / weight
    squares = math.fsum((total - value * count) ** 2 for total, count in listed)
    error = math.sqrt(number / (number - 1) * squares) / weight if number > 1 else math.inf
    return MeanEstimate(value, error, requests, len(totals))


def within(found: MeanEstimate) -> Difference:
    """Student's t about one mean: of paired differences, or of a share."""
    if found.sessions < LEAST:
        return Difference(found.value, None, None)
    reach = quantile(found.sessions - 1) * found.error
    return Difference(found.value, found.value - reach, found.value + reach)


def between(one: MeanEstimate, other: MeanEstimate) -> Difference:
    """`other` less `one`, of two independent sets of sessions: Welch's t."""
    value, squared = other.value - one.value, one.error**2 + other.error**2
    if min(one.sessions, other.sessions) < LEAST:
        return Difference(value, None, None)
    parts = one.error**4 / (one.sessions - 1) + other.error**4 / (other.sessions - 1)
    reach = quantile(squared**2 / parts) * math.sqrt(squared) if parts else 0.0
    return Difference(value, value - reach, value + reach)


def quantile(freedom: float) -> float:
    """Student's t at 0.975, by the expansion about the normal one: right to 0.001 from ten degrees of freedom on."""
    z, n = _Z, freedom
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
