"""Whether the targets are met, and what the least is that they could come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.approaches.approach import ADAPTIVE, CHEAPEST, RULES, SINGLE, UNSET
from benchmarks.approaches.bounds import Bounds
from benchmarks.approaches.estimate import Estimate, column, estimate, paired
from benchmarks.approaches.sheet import RunSheet
from benchmarks.approaches.table import Measured

SUCCESS = 0.95
"""Of the single model's mean score where it answers: what is asked of `adaptive`."""
COST_OF_RULES, P95_OF_RULES = 0.55, 0.70


class TargetResult(NamedTuple):
    """One target. `least`: larger is better. `beside`: what other policies come to; `best`: no policy does better."""

    what: str
    found: Estimate
    wanted: float
    least: bool
    beside: tuple[Estimate, ...] = ()
    best: Estimate | None = None

    @property
    def met(self) -> bool:
        value = self.found.value
        return value >= self.wanted if self.least else value <= self.wanted

    def line(self) -> str:
        sign = ">=" if self.least else "<="
        doubt = abs(self.found.value - self.wanted) <= self.found.reach
        told = ("met" if self.met else "**missed**") + (", within its interval" if doubt else "")
        beside = " | ".join(each.told(".3f") for each in self.beside) or " | "
        best = "" if self.best is None else self.best.told(".3f")
        return f"| {self.what} | {self.found.told('.4f')} | {sign} {self.wanted:g} | {told} | {beside} | {best} |"


HEAD = (
    "| | `adaptive` | target | | no settings | cheapest | none below |",
    "|---|---|---|---|---|---|---|",
)  # fmt: skip


def findings(measured: Measured, least: Sequence[Bounds]) -> Iterator[TargetResult]:
    """In the order of the targets; `least`: of each seed."""
    own, one, rules = (measured[name] for name in (ADAPTIVE, SINGLE, RULES))
    others = [measured[name] for name in (UNSET, CHEAPEST)]
    for name, other, dear, slow in (
        ("single model's", one, 0.22, 0.45),
        ("rules'", rules, COST_OF_RULES, P95_OF_RULES),
    ):
        usd = estimate([bound.usd / sheet.usd_per_request for bound, sheet in zip(least, other, strict=True)])
        p95 = estimate([bound.p95_s / sheet.p95_s for bound, sheet in zip(least, other, strict=True)])
        cost, slowness = (tuple(paired(each, other, figure) for each in others) for figure in (_cost, _p95))
        yield TargetResult(f"cost / {name}", paired(own, other, _cost), dear, False, cost, usd)
        yield TargetResult(f"P95 / {name}", paired(own, other, _p95), slow, False, slowness, p95)
    yield TargetResult(
        "success of answered / single model's", paired(own, one, _success), SUCCESS, True,
        tuple(paired(each, one, _success) for each in others),
    )  # fmt: skip
    for name, other in (("single model's", one), ("rules'", rules)):
        beside = tuple(paired(each, other, _more) for each in others)
        yield TargetResult(f"success of all - {name}", paired(own, other, _more), 0.0, True, beside)
    yield TargetResult("answered through its favourite's outage", column(own, lambda s: s.resilience), 0.995, True)


def beside(measured: Measured) -> Iterator[str]:
    """`adaptive` by each of the others that was measured."""
    own = measured.get(ADAPTIVE, [])
    yield "| `adaptive` / | cost | P95 | success of answered |"
    yield "|---|---|---|---|"
    for name, other in measured.items():
        if name != ADAPTIVE and own:
            told = (paired(own, other, figure).told(".4f") for figure in (_cost, _p95, _success))
            yield f"| {name} | {' | '.join(told)} |"


def _cost(own: RunSheet, other: RunSheet) -> float:
    return own.usd_per_request / other.usd_per_request


def _p95(own: RunSheet, other: RunSheet) -> float:
    return own.p95_s / other.p95_s


def _success(own: RunSheet, other: RunSheet) -> float:
    return own.success / other.success


def _more(own: RunSheet, other: RunSheet) -> float:
    return own.overall - other.overall
