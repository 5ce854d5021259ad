"""Figures of single calls, round after round, in which the ways that are compared take turns."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from statistics import fmean, median
from typing import Any

Rounds = list[list[float]]
"""By round, the figure of each call."""


def each_us(calls: Iterable[Callable[[], object]]) -> list[float]:
    """The work of each call."""
    taken = []
    for call in calls:
        before = time.process_time_ns()
        call()
        taken.append((time.process_time_ns() - before) / 1_000)
    return taken


def measured(use: Callable[[Any], list[float]], ways: Mapping[str, Any], rounds: int) -> dict[str, Rounds]:
    """What `use` found of each way, in each round but the first, which warms up."""
    seen: dict[str, Rounds] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            gc.collect()
            found = use(way)
            if turn:
                seen[name].append(found)
    return seen


def mean(rounds: Rounds) -> float:
    """Of a call: the median over the rounds of a round's mean."""
    return median(fmean(each) for each in rounds)


def ratio(mine: Rounds, base: Rounds, centre: Callable[[list[float]], float] = fmean) -> float:
    """The median of the rounds' own ratios of means or medians, so that a busy machine weighs on both alike."""
    return median(centre(a) / centre(b) for a, b in zip(mine, base, strict=True))


def percentile(rounds: Iterable[Iterable[float]], share: float) -> float:
    """Over all calls of all rounds; `share` 0.95 is the 95th."""
    ordered = sorted(chain.from_iterable(rounds))
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def added(mine: Rounds, base: Rounds, share: float) -> float:
    """A percentile of the one way less the same percentile of the other."""
    return percentile(mine, share) - percentile(base, share)
