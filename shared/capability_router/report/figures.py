"""Figures from rows: totals, percentiles, incidents, refusals. Knows nothing of how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from capability_router.faults.kinds import KINDS
from capability_router.report.request_row import AttemptRow, RequestRow
from capability_router.stats.percentile import percentile

_AWAY = frozenset(kind.name for kind in KINDS.values() if kind.blame in ("breaker", "gate", "credential"))
_LEAST_FAILURES = 2  # in a row; one failed attempt is no incident
OTHERS = "(others)"


class Incident(NamedTuple):
    """A model that did not answer: from its first failed attempt to its next answer (None = not in this log)."""

    model: str
    start_s: float
    end_s: float | None
    faults: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class RequestTotals:
    """A running total over requests. Money in picodollars, times in seconds."""

    requests: int = 0
    answered: int = 0
    fallbacks: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    unpriced: int = 0
    latencies: list[float] = field(default_factory=list)

    def add(self, decision: RequestRow) -> None:
        """Count a request in."""
        self.requests += 1
        self.answered += decision.model is not None
        self.fallbacks += decision.fallback
        self.failed_attempts += sum(t.fault is not None for t in decision.tries)
        self.input_tokens += decision.input_tokens
        self.output_tokens += decision.output_tokens
        self.cost_pico += decision.cost_pico
        self.unpriced += decision.unpriced
        if decision.model is not None:
            self.latencies.append(decision.elapsed_s)

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens

    def latency_s(self, share: float) -> float | None:
        """The latency that `share` of the answered requests stay within; None when none was answered."""
        return percentile(self.latencies, share)


@dataclass(slots=True)
class ModelTotals:
    """What one model was asked and what it cost; its failed attempts are in both.

    `rescued`: those that it answered in place of another model. `latencies` of its own answers, `ttfts` of streams.
    """

    calls: int = 0
    failed: int = 0
    answered: int = 0
    rescued: int = 0
    cost_pico: int = 0
    latencies: list[float] = field(default_factory=list)
    ttfts: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class RuleRefusals:
    """How often a rule forbade a model: `requests`, those of them that no model could take, and the models."""

    requests: int = 0
    unserved: int = 0
    models: Counter[str] = field(default_factory=Counter)


def span(rows: Sequence[RequestRow]) -> tuple[float, float]:
    """The first start and the last end, Unix seconds, at least a thousandth apart."""
    begin = min((row.start_s for row in rows), default=0.0)
    end = max((row.start_s + row.elapsed_s for row in rows), default=0.0)
    return begin, max(end, begin + 0.001)


def sums(rows: Iterable[RequestRow], key: Callable[[RequestRow], str]) -> dict[str, RequestTotals]:
    """One RequestTotals per key, the dearest first."""
    found: dict[str, RequestTotals] = {}
    for row in rows:
        found.setdefault(key(row), RequestTotals()).add(row)
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_pico, item[0])))


def total(rows: Iterable[RequestRow]) -> RequestTotals:
    """Everything in one RequestTotals."""
    whole = RequestTotals()
    for row in rows:
        whole.add(row)
    return whole


def accounts(rows: Iterable[RequestRow]) -> dict[str, ModelTotals]:
    """One ModelTotals per model that was tried, the dearest first."""
    found: dict[str, ModelTotals] = {}
    for row in rows:
        for each in row.tries:
            _book(found.setdefault(each.model, ModelTotals()), each)
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_pico, item[0])))


def _book(account: ModelTotals, each: AttemptRow) -> None:
    account.calls += 1
    account.cost_pico += each.cost_pico
    if each.fault is not None:
        account.failed += 1
        account.faults[each.fault] += 1
        return
    account.answered += 1
    account.rescued += each.fallback
    account.latencies.append(each.end_s - each.start_s)
    if each.ttft_s is not None:
        account.ttfts.append(each.ttft_s)


def incidents(rows: Iterable[RequestRow]) -> list[Incident]:
    """Where a model failed twice or more without an answer in between, for a fault of availability."""
    by_model: dict[str, list[AttemptRow]] = {}
    for each in sorted((t for row in rows for t in row.tries), key=lambda t: t.end_s):
        by_model.setdefault(each.model, []).append(each)
    found = [incident for model, tries in by_model.items() for incident in _runs(model, tries)]
    return sorted(found, key=lambda i: (i.start_s, i.model))


def _runs(model: str, tries: Sequence[AttemptRow]) -> Iterable[Incident]:
    failed: list[AttemptRow] = []
    for each in tries:
        if each.fault in _AWAY:
            failed.append(each)
        elif each.fault is None:
            yield from _incident(model, failed, each.end_s)
            failed = []
    yield from _incident(model, failed, None)


def _incident(model: str, failed: Sequence[AttemptRow], end_s: float | None) -> Iterable[Incident]:
    if len(failed) >= _LEAST_FAILURES:
        faults = Counter(str(t.fault) for t in failed)
        yield Incident(model, min(t.start_s for t in failed), end_s, tuple(faults.most_common()))


def refusals(rows: Iterable[RequestRow]) -> dict[str, RuleRefusals]:
    """By rule, the one that was used most first."""
    found: dict[str, RuleRefusals] = {}
    for row in rows:
        for rule in {rule for _, rule in row.refusals}:
            refused = found.setdefault(rule, RuleRefusals())
            refused.requests += 1
            refused.unserved += not row.tries and row.model is None
            refused.models.update(model for model, own in row.refusals if own == rule)
    return dict(sorted(found.items(), key=lambda item: (-item[1].requests, item[0])))


def spent(
    rows: Iterable[RequestRow], key: Callable[[RequestRow], Iterable[tuple[str, int]]], place: Callable[[float], int]
) -> dict[str, Counter[int]]:  # fmt: skip
    """Picodollars by name and by place in time; `key` gives the names and amounts of a request."""
    found: dict[str, Counter[int]] = {}
    for row in rows:
        for name, pico in key(row):
            found.setdefault(name, Counter())[place(row.start_s)] += pico
    return found


def leading(found: Mapping[str, Counter[int]], most: int) -> dict[str, Counter[int]]:
    """The dearest `most` names, and the others as one."""
    names = sorted(found, key=lambda name: (-found[name].total(), name))
    kept = {name: found[name] for name in names[:most]}
    if rest := names[most:]:
        kept[OTHERS] = sum((found[name] for name in rest), Counter[int]())
    return kept
