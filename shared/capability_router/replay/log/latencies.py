"""How long answers took, by model: the log's own attempts, and how many there were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from capability_router.replay.log.logged_request import LoggedAttempt
from capability_router.stats.percentile import weighted_percentile

FEW = 30
"""Answers below which it is said that there are few."""


class AttemptStats(NamedTuple):
    """What the log has of a model: attempts, how many of them failed, the median of the answers' seconds."""

    attempts: int
    failed: int
    median_s: float | None

    @property
    def answers(self) -> int:
        """Attempts that answered."""
        return self.attempts - self.failed


class Latencies:
    """Of all attempts in a log."""

    def __init__(self, attempts: Iterable[LoggedAttempt]) -> None:
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self._failed: defaultdict[str, int] = defaultdict(int)
        for each in attempts:
            if each.fault:
                self._failed[each.model] += each.fault != "cancelled"
            else:
                self._took[each.model].append(each.elapsed_s)
        self._usual = {model: median(took) for model, took in self._took.items()}

    def usual(self, model: str) -> float | None:
        """The median of its answers, in seconds; None = it gave none."""
        return self._usual.get(model)

    def took(self, model: str) -> Sequence[float]:
        """Seconds of each of its answers."""
        return self._took.get(model, ())

    def of(self, model: str) -> AttemptStats:
        """What there is of it."""
        answers, failed = len(self.took(model)), self._failed.get(model, 0)
        return AttemptStats(answers + failed, failed, self.usual(model))


class Mixture:
    """Times of which each counts for a part of a request: of those that stay as they were, a whole one."""

    def __init__(self) -> None:
        self._parts: list[tuple[float, float]] = []

    def add(self, seconds: float) -> None:
        """One request took so long."""
        self._parts.append((seconds, 1.0))

    def spread(self, took: Sequence[float], requests: int) -> None:
        """So many requests take as long as these did, each as likely as the others."""
        self._parts += [(seconds, requests / len(took)) for seconds in took]

    def mean(self) -> float | None:
        """None of nothing."""
        weight = sum(part for _, part in self._parts)
        return sum(seconds * part for seconds, part in self._parts) / weight if weight else None

    def quantile(self, share: float) -> float | None:
        """The time within which this share of the requests was over; None of nothing."""
        return weighted_percentile(self._parts, share)
