"""Single requests of the page: the dearest, the slowest, the newest."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from capability_router.amounts import count, money, seconds, time_of
from capability_router.drawing.markup import Markup, element
from capability_router.report.request_row import RequestRow
from capability_router.report.tables import grid, part, section

LISTED = 100
"""Requests in the table of single requests: the newest."""
TOP = 10
_COLUMNS = ("request", "at (UTC)", "who", "model", "attempts", "tokens", "cost", "latency", "why")
_TEXTS = ("who", "model", "why")


def extremes(rows: Sequence[RequestRow]) -> Markup:
    """The ten dearest and the ten slowest."""
    dear = dearest(rows)
    return section(
        "Dearest and slowest requests", "Costs and times of all attempts together.",
        part("Dearest", _table(dear) if dear else element("p", "No request cost anything.", class_="note")),
        part("Slowest", _table(slowest(rows))),
    )  # fmt: skip


def newest(rows: Sequence[RequestRow]) -> Markup:
    """The newest requests, folded away."""
    kept = rows[-LISTED:][::-1]
    some = f"The newest {count(len(kept))} of {count(len(rows))} requests"
    label = some if len(kept) < len(rows) else f"All {count(len(rows))} requests"
    return element("section", element("details", element("summary", label), _table(kept)))


def dearest(rows: Sequence[RequestRow]) -> list[RequestRow]:
    """The ten that cost most, those that cost nothing left out."""
    return [row for row in nlargest(TOP, rows, key=lambda row: row.cost_pico) if row.cost_pico]


def slowest(rows: Sequence[RequestRow]) -> list[RequestRow]:
    """The ten that took longest."""
    return nlargest(TOP, rows, key=lambda row: row.elapsed_s)


def _table(rows: Sequence[RequestRow]) -> Markup:
    return grid(_COLUMNS, map(_row, rows), texts=_TEXTS)


def _row(row: RequestRow) -> tuple[object, ...]:
    model: object = row.model if row.model is not None else element("span", "no answer", class_="bad-text")
    if row.fallback:
        model = f"{row.model} (fallback)"
    who = " · ".join(filter(None, (row.tenant, row.task, row.chain, *row.tags)))
    return (
        element("code", row.request_id[:12], title=row.request_id), time_of(row.start_s), who, model,
        str(len(row.tries)), count(row.input_tokens + row.output_tokens), "?" if row.unpriced else money(row.cost_pico),
        seconds(row.elapsed_s), f"{row.reason}{_faults(row)}",
    )  # fmt: skip


def _faults(row: RequestRow) -> str:
    """What went wrong, without what the reason says already."""
    faults = ((t.model, t.detail or t.fault) for t in row.tries if t.fault is not None)
    failed = [f"{model}: {why}" for model, why in faults if why not in row.reason]
    return f" [{'; '.join(failed[:4])}]" if failed else ""
