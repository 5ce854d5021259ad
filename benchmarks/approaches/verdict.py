"""Whether the targets are met, and what stands in the way of those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.approaches.approach import ADAPTIVE, CHEAPEST, RULES, SINGLE
from benchmarks.approaches.estimate import Estimate, column, paired
from benchmarks.approaches.sheet import Sheet
from benchmarks.approaches.table import Measured


class Finding(NamedTuple):
    """One target. `least`: larger is better. `floor`: what the policy that asks for no quality comes to."""

    what: str
    found: Estimate
    wanted: float
    least: bool
    floor: Estimate | None = None

    @property
    def met(self) -> bool:
        value = self.found.value
        return value >= self.wanted if self.least else value <= self.wanted

    def line(self) -> str:
        sign = ">=" if self.least else "<="
        doubt = abs(self.found.value - self.wanted) <= self.found.reach
        told = ("met" if self.met else "**missed**") + (", within its interval" if doubt else "")
        floor = "" if self.floor is None else self.floor.told(".3f")
        return f"| {self.what} | {self.found.told('.4f')} | {sign} {self.wanted:g} | {told} | {floor} |"


HEAD = ("| `adaptive` | measured | target | | the cheapest policy |", "|---|---|---|---|---|")


def findings(measured: Measured) -> Iterator[Finding]:
    """In the order of the targets."""
    own, one, rules, floor = (measured[name] for name in (ADAPTIVE, SINGLE, RULES, CHEAPEST))
    for name, other, dear, slow in (("single model's", one, 0.22, 0.45), ("rules'", rules, 0.55, 0.70)):
        yield Finding(f"cost / {name}", paired(own, other, _cost), dear, False, paired(floor, other, _cost))
        yield Finding(f"P95 / {name}", paired(own, other, _p95), slow, False, paired(floor, other, _p95))
    yield Finding(
        "success of answered / single model's", paired(own, one, lambda a, b: a.success / b.success), 0.95, True
    )
    yield Finding("success of all - single model's", paired(own, one, _more), 0.0, True)
    yield Finding("success of all - rules'", paired(own, rules, _more), 0.0, True)
    yield Finding("answered through its favourite's outage", column(own, lambda s: s.resilience), 0.995, True)


def _cost(own: Sheet, other: Sheet) -> float:
    return own.usd_per_request / other.usd_per_request


def _p95(own: Sheet, other: Sheet) -> float:
    return own.p95_s / other.p95_s


def _more(own: Sheet, other: Sheet) -> float:
    return own.overall - other.overall
