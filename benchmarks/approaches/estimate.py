"""A mean over seeds with its 95 % interval (Student's t). Seeds are pairs: ratios and differences are taken in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from benchmarks.approaches.sheet import RunSheet

_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09)
_MANY = 1.96


class Estimate(NamedTuple):
    """`reach`: half of the interval; 0 for one seed, of which nothing is known."""

    value: float
    reach: float

    def told(self, form: str) -> str:
        return f"{self.value:{form}}" + (f" ± {self.reach:{form.lstrip('+')}}" if self.reach else "")


def estimate(values: Sequence[float]) -> Estimate:
    """Without those that are not known."""
    known = [value for value in values if not isnan(value)]
    if len(known) < 2:
        return Estimate(known[0] if known else float("nan"), 0.0)
    freedom = len(known) - 1
    t = _T[freedom - 1] if freedom <= len(_T) else _MANY + 2.5 / freedom
    return Estimate(fmean(known), t * stdev(known) / sqrt(len(known)))


def column(sheets: Sequence[RunSheet], figure: Callable[[RunSheet], float]) -> Estimate:
    """A figure over seeds."""
    return estimate([figure(sheet) for sheet in sheets])


def paired(
    one: Sequence[RunSheet], other: Sequence[RunSheet], figure: Callable[[RunSheet, RunSheet], float]
) -> Estimate:
    """A figure of two approaches in the same runs."""
    return estimate([figure(a, b) for a, b in zip(one, other, strict=True)])
