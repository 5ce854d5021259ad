"""The table: a line for each approach, in two parts that fit 80 columns; Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.approaches.estimate import column
from benchmarks.approaches.sheet import RunSheet

Measured = Mapping[str, Sequence[RunSheet]]
"""The accounts of each approach, in the order of the seeds."""


def lines(measured: Measured) -> Iterator[str]:
    """Money and time, then success."""
    yield "| approach | USD per 1k tokens | USD per 1k requests | P50, s | P95, s |"
    yield "|---|---|---|---|---|"
    for name, sheets in measured.items():
        tokens = column(sheets, lambda s: s.usd_per_1k_tokens).told(".6f")
        usd = column(sheets, lambda s: 1_000 * s.usd_per_request).told(".2f")
        p50, p95 = column(sheets, lambda s: s.p50_s).told(".2f"), column(sheets, lambda s: s.p95_s).told(".2f")
        yield f"| {name} | {tokens} | {usd} | {p50} | {p95} |"
    yield ""
    yield "| approach | success of answered | of all | answered | through favourite's outage | through all | limited |"
    yield "|---|---|---|---|---|---|---|"
    for name, sheets in measured.items():
        success, overall = column(sheets, lambda s: s.success), column(sheets, lambda s: s.overall)
        shares = (
            column(sheets, lambda s: 100 * s.answered), column(sheets, lambda s: 100 * s.resilience),
            column(sheets, lambda s: 100 * s.in_outages),
        )  # fmt: skip
        told = " | ".join(f"{share.told('.2f')} %" for share in shares)
        limited = column(sheets, lambda s: s.limited).told(".1f")
        yield f"| {name} | {success.told('.3f')} | {overall.told('.3f')} | {told} | {limited} |"


def choices(measured: Measured) -> Iterator[str]:
    """Whose answers each approach gave, and its favourite in most runs."""
    for name, sheets in measured.items():
        models = sorted({model for sheet in sheets for model in sheet.shares})
        shares = {m: column(sheets, lambda s, m=m: s.shares.get(m, 0.0)).value for m in models}  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        told = ", ".join(f"{model} {share:.0%}" for model, share in ranked if share >= 0.005)
        yield f"- {name}: {told}"
