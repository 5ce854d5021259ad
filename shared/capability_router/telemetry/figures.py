"""Figures from decision records: totals, percentiles, incidents. Knows nothing of how they are shown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from capability_router.faults.kinds import KINDS

_AWAY = frozenset(kind.name for kind in KINDS.values() if kind.blame in ("breaker", "gate", "credential"))
_LEAST_FAILURES = 2  # in a row; one failed attempt is no incident


class Try(NamedTuple):
    """One attempt. Times in seconds since the first request; `fault` is None for the one that answered."""

    model: str
    start_s: float
    end_s: float
    fault: str | None
    detail: str
    cost_pico: int
    fallback: bool


class Decision(NamedTuple):
    """One request. `model` is None when none answered; `cost_pico` covers all its attempts."""

    request_id: str
    start_s: float
    elapsed_s: float
    model: str | None
    fallback: bool
    reason: str
    policy: str
    framework: str
    tenant: str
    task: str
    chain: str
    input_tokens: int
    output_tokens: int
    cost_pico: int
    unpriced: bool
    tries: tuple[Try, ...]


class Incident(NamedTuple):
    """A model that did not answer: from its first failed attempt to its next answer (None = not in this log)."""

    model: str
    start_s: float
    end_s: float | None
    faults: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Sum:
    """A running total over requests. Money in picodollars, times in seconds."""

    requests: int = 0
    answered: int = 0
    fallbacks: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    latencies: list[float] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        """Count a request in."""
        self.requests += 1
        self.answered += decision.model is not None
        self.fallbacks += decision.fallback
        self.failed_attempts += sum(t.fault is not None for t in decision.tries)
        self.input_tokens += decision.input_tokens
        self.output_tokens += decision.output_tokens
        self.cost_pico += decision.cost_pico
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
class Account:
    """What one model was asked and what it cost; its failed attempts are in both."""

    calls: int = 0
    failed: int = 0
    answered: int = 0
    cost_pico: int = 0
    latencies: list[float] = field(default_factory=list)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank; None for no values."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1] if values else None


def decisions(records: Iterable[Mapping[str, Any]]) -> list[Decision]:
    """The records as decisions, in the order of their start, times counted from the first start."""
    rows = sorted(records, key=_start)
    began = _start(rows[0]) if rows else 0.0
    return [_decision(row, began) for row in rows]


def began_at(records: Iterable[Mapping[str, Any]]) -> float | None:
    """Unix seconds of the first request's start."""
    return min(map(_start, records), default=None)


def _start(record: Mapping[str, Any]) -> float:
    return float(record["at"]) - float(record["elapsed_s"])


def _decision(record: Mapping[str, Any], began: float) -> Decision:
    start = _start(record) - began
    tries = _tries(record["attempts"], start)

    def word(name: str) -> str:
        return str(record.get(name) or "")

    plan = record.get("plan")
    planned = str(plan.get("task") or "") if isinstance(plan, Mapping) else ""
    return Decision(
        word("request_id"), start, float(record["elapsed_s"]), record.get("model"), bool(record.get("fallback")),
        word("reason"), word("policy"), word("framework"), word("tenant"), word("task") or planned, word("chain"),
        int(record.get("input_tokens") or 0), int(record.get("output_tokens") or 0),
        int(record.get("cost_pico") or 0), record.get("cost_pico") is None, tries,
    )  # fmt: skip


def _tries(attempts: Sequence[Mapping[str, Any]], start: float) -> tuple[Try, ...]:
    first = attempts[0]["model"] if attempts else None
    return tuple(_try(attempt, start, first) for attempt in attempts)


def _try(attempt: Mapping[str, Any], start: float, first: str | None) -> Try:
    begun = start + float(attempt.get("started_s") or 0.0)
    return Try(
        str(attempt["model"]), begun, begun + float(attempt.get("elapsed_s") or 0.0), attempt.get("fault"),
        str(attempt.get("detail") or ""), int(attempt.get("cost_pico") or 0), attempt["model"] != first,
    )  # fmt: skip


def span_s(rows: Sequence[Decision]) -> float:
    """Seconds from the first start to the last end; at least 1."""
    return max((row.start_s + row.elapsed_s for row in rows), default=1.0) or 1.0


def sums(rows: Iterable[Decision], key: Callable[[Decision], str]) -> dict[str, Sum]:
    """One Sum per key, the dearest first."""
    found: dict[str, Sum] = {}
    for row in rows:
        found.setdefault(key(row), Sum()).add(row)
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_pico, item[0])))


def total(rows: Iterable[Decision]) -> Sum:
    """Everything in one Sum."""
    whole = Sum()
    for row in rows:
        whole.add(row)
    return whole


def accounts(rows: Iterable[Decision]) -> dict[str, Account]:
    """One Account per model that was tried, the dearest first."""
    found: dict[str, Account] = {}
    for row in rows:
        for each in row.tries:
            _book(found.setdefault(each.model, Account()), each)
        if row.model is not None and row.model in found:
            found[row.model].latencies.append(row.elapsed_s)
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_pico, item[0])))


def _book(account: Account, each: Try) -> None:
    account.calls += 1
    account.failed += each.fault is not None
    account.answered += each.fault is None
    account.cost_pico += each.cost_pico


def incidents(rows: Iterable[Decision]) -> list[Incident]:
    """Where a model failed twice or more without an answer in between, for a fault of availability."""
    by_model: dict[str, list[Try]] = {}
    for each in sorted((t for row in rows for t in row.tries), key=lambda t: t.end_s):
        by_model.setdefault(each.model, []).append(each)
    found = [incident for model, tries in by_model.items() for incident in _runs(model, tries)]
    return sorted(found, key=lambda i: (i.start_s, i.model))


def _runs(model: str, tries: Sequence[Try]) -> Iterable[Incident]:
    failed: list[Try] = []
    for each in tries:
        if each.fault in _AWAY:
            failed.append(each)
        elif each.fault is None:
            yield from _incident(model, failed, each.end_s)
            failed = []
    yield from _incident(model, failed, None)


def _incident(model: str, failed: Sequence[Try], end_s: float | None) -> Iterable[Incident]:
    if len(failed) >= _LEAST_FAILURES:
        faults = Counter(str(t.fault) for t in failed)
        yield Incident(model, min(t.start_s for t in failed), end_s, tuple(faults.most_common()))
