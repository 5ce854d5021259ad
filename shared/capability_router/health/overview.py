"""The health of each model over all processes that report to a store, and which processes are alive."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from capability_router.health.reporter import VERSION
from capability_router.json_text import parsed
from capability_router.stores.reports import HealthReport

SILENT_AFTER = 3.5
"""Missing reports after which a process counts as gone."""
_COUNTS = ("in_flight", "recent_calls", "calls", "answered", "failed", "refused", "disabled")
_WORST = ("isolated", "open", "half_open", "closed")


class RouterProcess(NamedTuple):
    """One process. `age_s`: seconds since its last report; `silent`: it may have died and is not counted."""

    router: str
    host: str
    pid: int
    since: float
    age_s: float
    silent: bool
    models: Sequence[Mapping[str, Any]]


class ModelStatus(TypedDict):
    """A model over all live processes, JSON-safe. Times in seconds, shares from 0 to 1; None = unknown.

    `credential`: the digest of its key, "" = unknown. `processes`: how many report it; `held_in`: in how many of these
    it can't be used now, `held`: why in the first of them. `state`: the worst of its breakers. `success_share`: share
    answered of the calls since the processes began; `recent_share`: of the `recent_calls` in the breaker's window.
    `ttft_s`, `took_s`: mean time to the first token of streams, and of whole answers.
    """

    router: str
    model: str
    provider: str
    credential: str
    processes: int
    state: str
    held_in: int
    held: str
    held_by: str
    in_flight: int
    queue_s: float
    ttft_s: float | None
    took_s: float | None
    success_share: float | None
    recent_calls: int
    recent_share: float | None
    calls: int


def processes_of(reports: Iterable[HealthReport]) -> tuple[list[RouterProcess], int]:
    """The processes that report, and the number of unreadable reports (another version, or damaged)."""
    found, odd = [], 0
    for report in reports:
        try:
            found.append(_process(report))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            odd += 1
    return found, odd


def _process(report: HealthReport) -> RouterProcess:
    said = parsed(report.text)
    if said["version"] != VERSION:
        raise ValueError("another version")
    silent = report.age_s > SILENT_AFTER * _figure(said["every_s"])
    models = [_row(row) for row in said["models"]]
    since = _figure(said["since"])
    return RouterProcess(report.name, str(said["host"]), int(said["pid"]), since, report.age_s, silent, models)


def _figure(said: Any) -> float:
    """Finite and 0 or more; raises ValueError, TypeError or OverflowError for anything else."""
    value = float(said)
    if not 0.0 <= value < math.inf:
        raise ValueError("no figure")
    return value


def _row(said: Mapping[str, Any]) -> dict[str, Any]:
    """The checked fields of a row. Raises ValueError or TypeError for a wrong type."""
    texts = {name: str(said[name]) for name in ("model", "provider", "held", "held_by")}
    texts["credential"] = str(said.get("credential", ""))
    counts = {name: int(_figure(said[name])) for name in _COUNTS}
    shares = {
        name: None if said.get(name) is None else _figure(said[name])
        for name in ("ttft_s", "took_s", "recent_share", "queue_s")
    }
    _WORST.index(said["state"])
    return {**texts, **counts, **shares, "state": said["state"]}


def overview(found: Iterable[RouterProcess]) -> list[ModelStatus]:
    """A row per router and model, over the live processes."""
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for process in found:
        for row in () if process.silent else process.models:
            rows.setdefault((process.router, row["model"]), []).append(row)
    return [_standing(router, model, each) for (router, model), each in rows.items()]


def _standing(router: str, model: str, rows: Sequence[Mapping[str, Any]]) -> ModelStatus:
    held = [row for row in rows if row["held"]]
    ended = sum(row[how] for row in rows for how in ("answered", "failed", "refused", "disabled"))
    recent = sum(row["recent_calls"] for row in rows)
    well = sum(row["recent_calls"] * (row["recent_share"] or 0.0) for row in rows)
    return {
        "router": router, "model": model, "provider": rows[0]["provider"],
        "credential": rows[0]["credential"], "processes": len(rows),
        "state": min((row["state"] for row in rows), key=_WORST.index),
        "held_in": len(held), "held": held[0]["held"] if held else "", "held_by": held[0]["held_by"] if held else "",
        "in_flight": sum(row["in_flight"] for row in rows), "queue_s": max(row["queue_s"] or 0.0 for row in rows),
        "ttft_s": _mean([(row["ttft_s"], row["answered"]) for row in rows]),
        "took_s": _mean([(row["took_s"], row["answered"]) for row in rows]),
        "success_share": sum(row["answered"] for row in rows) / ended if ended else None,
        "recent_calls": recent, "recent_share": well / recent if recent else None,
        "calls": sum(row["calls"] for row in rows),
    }  # fmt: skip


def _mean(pairs: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean of the known values, weighted by calls."""
    known = [(value, weight) for value, weight in pairs if value is not None]
    total = sum(weight for _, weight in known)
    if not known or not total:
        return known[0][0] if known else None
    return sum(value * weight for value, weight in known) / total
