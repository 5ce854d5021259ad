"""The figures of the page as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capability_router.report.charts.cost_quality import points
from capability_router.report.data import ReportData
from capability_router.report.figures import (
    ModelTotals,
    RequestTotals,
    accounts,
    incidents,
    refusals,
    span,
    sums,
    total,
)
from capability_router.report.request_row import RequestRow
from capability_router.report.request_tables import dearest, slowest
from capability_router.report.single_model import Savings
from capability_router.report.task_fit import TaskFit, fits
from capability_router.report.unhealthy_spans import unhealthy_spans
from capability_router.stats.percentile import percentiles

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def summary(traffic: ReportData, strongest: str | None = None) -> dict[str, Any]:
    """JSON-safe: money in USD and picodollars, times in seconds or Unix seconds, shares 0 to 1, None = unknown."""
    rows = traffic.requests
    begin, end = span(rows)
    savings = traffic.alone.savings(strongest)
    return {
        "begin": begin if rows else None, "end": end if rows else None, **_sum(total(rows)),
        "savings": None if savings is None else _savings(savings),
        "models": {name: _account(each) for name, each in accounts(rows).items()},
        "tenants": _sums(rows, lambda row: row.tenant), "tasks": _sums(rows, lambda row: row.task),
        "fit": [{"task": task, "model": model, **_fit(each)} for (task, model), each in fits(traffic).items()],
        "plane": [point._asdict() for point in points(traffic)],
        "incidents": [{**each._asdict(), "faults": dict(each.faults)} for each in incidents(rows)],
        "breakers": [away._asdict() for own in unhealthy_spans(traffic.changes, rows).values() for away in own],
        "refusals": {
            rule: {"requests": each.requests, "unserved": each.unserved, "models": dict(each.models.most_common())}
            for rule, each in refusals(rows).items()
        },
        "dearest": list(map(_request, dearest(rows))), "slowest": list(map(_request, slowest(rows))),
        "omitted": dict(sorted(traffic.omitted.items())),
    }  # fmt: skip


def _money(pico: int) -> dict[str, Any]:
    return {"cost_usd": pico / 1e12, "cost_pico": pico}


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    return dict(zip(_SHARES, percentiles(values, *_SHARES.values()), strict=True))


def _sum(whole: RequestTotals) -> dict[str, Any]:
    return {
        "requests": whole.requests, "answered": whole.answered, "fallbacks": whole.fallbacks,
        "failed_attempts": whole.failed_attempts, "input_tokens": whole.input_tokens,
        "output_tokens": whole.output_tokens, **_money(whole.cost_pico), "unpriced": whole.unpriced,
        "latency_s": _spread(whole.latencies),
    }  # fmt: skip


def _sums(rows: Sequence[RequestRow], key: Callable[[RequestRow], str]) -> dict[str, Any]:
    return {name: _sum(each) for name, each in sums(rows, key).items()}


def _account(account: ModelTotals) -> dict[str, Any]:
    return {
        "calls": account.calls, "answered": account.answered, "failed": account.failed, "rescued": account.rescued,
        **_money(account.cost_pico), "latency_s": _spread(account.latencies), "streams": len(account.ttfts),
        "ttft_s": _spread(account.ttfts), "faults": dict(account.faults.most_common()),
    }  # fmt: skip


def _savings(savings: Savings) -> dict[str, Any]:
    return {**savings._asdict(), "saved_pico": savings.saved_pico, "saved_usd": savings.saved_pico / 1e12}


def _fit(fit: TaskFit) -> dict[str, Any]:
    figures: Mapping[str, Any] = {name: getattr(fit, name) for name in TaskFit.__slots__ if name != "score"}
    return {**figures, "mean_score": fit.mean_score}


def _request(row: RequestRow) -> dict[str, Any]:
    names = ("request_id", "start_s", "elapsed_s", "model", "tenant", "task", "reason")
    return {**{name: getattr(row, name) for name in names}, "attempts": len(row.tries), **_money(row.cost_pico)}
