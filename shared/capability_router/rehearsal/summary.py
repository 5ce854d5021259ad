"""A run in figures: how many were answered, in and outside of the faults' time, how quickly, at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from capability_router.rehearsal.result import RequestResult, RunRecord
from capability_router.rehearsal.script.fault_schedule import ScheduledFault
from capability_router.stats.percentile import percentile


@dataclass(slots=True)
class SuccessRate:
    """Requests, and how many of them got a whole answer."""

    requests: int = 0
    answered: int = 0

    @property
    def success(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.answered / self.requests if self.requests else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {"requests": self.requests, "answered": self.answered, "success": _round(self.success)}


@dataclass(slots=True)
class RunSummary:
    """One run. Latencies in seconds, of answered requests; None = none was. `unpriced`: answers of unknown cost."""

    whole: SuccessRate = field(default_factory=SuccessRate)
    during: SuccessRate = field(default_factory=SuccessRate)
    outside: SuccessRate = field(default_factory=SuccessRate)
    latencies: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    """Those of requests in the faults' time."""
    cost_pico: int = 0
    cost_during_pico: int = 0
    unpriced: int = 0
    fallbacks: int = 0
    calls: int = 0
    failed_calls: int = 0
    longest_s: float = 0.0
    """Of any request, answered or not."""
    whys: Counter[str] = field(default_factory=Counter)

    @property
    def success(self) -> float:
        """0 to 1."""
        return self.whole.success or 0.0

    def latency_s(self, share: float) -> float | None:
        """What this share of the answered requests stay within."""
        return percentile(self.latencies, share)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {
            "all": self.whole.to_dict(), "during": self.during.to_dict(), "outside": self.outside.to_dict(),
            "p50_s": _round(self.latency_s(0.5)), "p95_s": _round(self.latency_s(0.95)),
            "p99_s": _round(self.latency_s(0.99)), "p95_during_s": _round(percentile(self.slow, 0.95)),
            "longest_s": _round(self.longest_s), "cost_usd": self.cost_pico / 1e12, "unpriced": self.unpriced,
            "fallbacks": self.fallbacks, "calls": self.calls, "failed_calls": self.failed_calls,
            "not_answered": dict(sorted(self.whys.items())),
        }  # fmt: skip


def hit(calm: RunRecord, spells: Sequence[ScheduledFault]) -> list[bool]:
    """Which requests lie in the faults' time: those that would have been under way then in calm weather."""
    return [any(row.at < s.until_s and s.from_s <= row.end_s for s in spells) for row in calm.rows]


def summed(run: RunRecord, hits: Sequence[bool]) -> RunSummary:
    """The rows of a run; `hits`: which of them lie in the faults' time."""
    found = RunSummary()
    for row, during in zip(run.rows, hits, strict=True):
        _add(found, row, during)
    return found


def _add(found: RunSummary, row: RequestResult, during: bool) -> None:
    for share in (found.whole, found.during if during else found.outside):
        share.requests += 1
        share.answered += bool(row.model)
    found.cost_pico += row.cost_pico or 0
    found.cost_during_pico += (row.cost_pico or 0) if during else 0
    found.unpriced += row.cost_pico is None
    found.fallbacks += row.fallback
    found.calls += len(row.tries)
    found.failed_calls += sum(bool(t.fault) for t in row.tries)
    found.longest_s = max(found.longest_s, row.elapsed_s)
    if row.model:
        found.latencies.append(row.elapsed_s)
        if during:
            found.slow.append(row.elapsed_s)
    else:
        found.whys[row.why] += 1


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
