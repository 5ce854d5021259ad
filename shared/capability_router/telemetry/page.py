"""The report: decision records as one self-contained HTML page, charts as inline SVG, no script, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from capability_router.telemetry.amounts import count, money, offset, seconds, share, stamp
from capability_router.telemetry.charts import Palette, attempts_chart, cost_chart, latency_chart, told_incident
from capability_router.telemetry.figures import (
    Account,
    Decision,
    Incident,
    Sum,
    accounts,
    began_at,
    decisions,
    incidents,
    percentile,
    span_s,
    sums,
    total,
)
from capability_router.telemetry.markup import Markup, element, join

LISTED = 200
"""Requests in the table of single requests: the newest."""
TOLD = 20
"""Incidents in words: the first."""
_STYLE = Path(__file__).with_name("page.css")
_FOOTER = "Times count from the first request. Costs include failed attempts. P50 and P95 are of answered requests."
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
Records = Iterable[Mapping[str, Any]]


def page(
    records: Records, *, title: str = "Routing report", against: Mapping[str, Records] | None = None, note: str = ""
) -> str:
    """The page for these records. `against`: other logs of the same requests, by name, to compare totals with.

    `note` is a sentence under the title. Every text of the records is escaped.
    """
    kept = list(records)
    rows = decisions(kept)
    body = [_header(rows, began_at(kept), title, note)]
    empty = [element("section", element("p", "The log holds no decisions yet."))]
    body += _sections(rows, against or {}) if rows else empty
    return document(title, *body, element("footer", _FOOTER))


def document(title: str, *parts: Markup) -> str:
    """A self-contained page of these parts: the style is in it, nothing is loaded, no script may run."""
    head = join(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", title), element("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )  # fmt: skip
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{element("main", *parts)}</body></html>\n'


def _header(rows: Sequence[Decision], began: float | None, title: str, note: str) -> Markup:
    policies = ", ".join(sorted({row.policy for row in rows if row.policy}))
    when = f"{count(len(rows))} requests over {offset(span_s(rows))}"
    line = f"{when} from {stamp(began)}, policy {policies or 'unknown'}" if began is not None else ""
    told = element("p", note) if note else ""
    return element("header", element("h1", title), element("p", line, class_="quiet"), told)


def _sections(rows: Sequence[Decision], against: Mapping[str, Records]) -> list[Markup]:
    found, by_model, whole = incidents(rows), accounts(rows), total(rows)
    palette = Palette(list(by_model))
    others = {name: total(decisions(records)) for name, records in against.items()}
    return [
        _headline(rows, whole),
        *([_comparison({"this log": whole, **others})] if others else []),
        _section("Cost by model", "Failed attempts included.", _scroll(cost_chart(by_model, palette), "Cost by model")),
        _latency(rows, found, by_model, palette),
        _attempts(rows, found, by_model, palette),
        _table("Models", ("model", *_MODEL_COLUMNS), [_model_row(m, a) for m, a in by_model.items()]),
        _totals("Totals by tenant", "tenant", rows, lambda row: row.tenant),
        _totals("Totals by task", "task", rows, lambda row: row.task),
        _totals("Totals by framework", "framework", rows, lambda row: row.framework),
        _requests(rows),
    ]


def _section(title: str, note: str, *parts: Markup) -> Markup:
    return element("section", element("h2", title), element("p", note, class_="note") if note else "", *parts)


def _scroll(content: Markup, label: str) -> Markup:
    """Something wide: scrolls by itself on a narrow screen, also by keyboard."""
    return element("div", content, class_="scroll", tabindex=0, role="group", aria_label=label)


def _headline(rows: Sequence[Decision], whole: Sum) -> Markup:
    unpriced = sum(row.unpriced for row in rows)
    per_thousand = money(round(1_000 * whole.cost_pico / whole.tokens)) if whole.tokens else "–"
    cost_note = f"{per_thousand} per 1,000 tokens" + (f"; {count(unpriced)} unpriced" if unpriced else "")
    answered = f"{count(whole.answered)} of {count(whole.requests)} requests"
    figures = (
        ("Answered", share(whole.answered, whole.requests), answered),
        ("Cost", money(whole.cost_pico), cost_note),
        ("P95 latency", seconds(whole.latency_s(0.95)), f"half within {seconds(whole.latency_s(0.5))}"),
        ("Fallbacks", count(whole.fallbacks), f"{count(whole.failed_attempts)} failed attempts"),
        ("Tokens", count(whole.tokens), f"{count(whole.input_tokens)} in, {count(whole.output_tokens)} out"),
    )
    items = (element("div", element("dt", n), element("dd", value), element("dd", more)) for n, value, more in figures)
    return element("dl", *items, class_="headline")


def _latency(
    rows: Sequence[Decision], found: Sequence[Incident], by_model: Mapping[str, Account], palette: Palette
) -> Markup:  # fmt: skip
    note = "A dot is one answered request; a ring was answered by a fallback. Shaded: a model gave no answer."
    chart = _scroll(latency_chart(rows, found, palette), "Latency of each request")
    return _section("Latency", note, chart, _legend(by_model, palette))


def _legend(models: Iterable[str], palette: Palette) -> Markup:
    def key(model: str) -> Markup:
        swatch = element("circle", cx=6, cy=6, r=6, class_=palette.of(model))
        return element("li", element("svg", swatch, viewBox="0 0 12 12", aria_hidden="true"), model)

    return element("ul", *map(key, models), class_="legend")


def _attempts(
    rows: Sequence[Decision], found: Sequence[Incident], by_model: Mapping[str, Account], palette: Palette
) -> Markup:  # fmt: skip
    note = (
        "Above the line: attempts that answered, hatched where they stood in for another model. "
        "Below it, red: attempts that failed."
    )
    chart = _scroll(attempts_chart(rows, list(by_model), found, palette), "Attempts of each model over time")
    return _section("Attempts and fallbacks", note, chart, _incidents(found))


def _incidents(found: Sequence[Incident]) -> Markup:
    told = [element("li", told_incident(incident)) for incident in found[:TOLD]]
    more = len(found) - len(told)
    rest = [element("li", f"and {count(more)} more")] if more else []
    return element("ul", *told, *rest) if told else Markup()


_MODEL_COLUMNS = ("calls", "answered", "failed", "cost", "P50", "P95")


def _model_row(model: str, account: Account) -> tuple[str, ...]:
    calls = (count(number) for number in (account.calls, account.answered, account.failed))
    spread = (seconds(percentile(account.latencies, part)) for part in (0.5, 0.95))
    return (model, *calls, money(account.cost_pico), *spread)


_COLUMNS = ("requests", "answered", "fallbacks", "tokens in", "tokens out", "cost", "per request", "P95")


def _figures(whole: Sum) -> tuple[str, ...]:
    return (
        count(whole.requests), share(whole.answered, whole.requests), count(whole.fallbacks), count(whole.input_tokens),
        count(whole.output_tokens), money(whole.cost_pico), money(round(whole.cost_pico / max(whole.requests, 1))),
        seconds(whole.latency_s(0.95)),
    )  # fmt: skip


def _totals(title: str, what: str, rows: Sequence[Decision], key: Callable[[Decision], str]) -> Markup:
    return _table(title, (what, *_COLUMNS), [(name or "(none)", *_figures(s)) for name, s in sums(rows, key).items()])


def _comparison(logs: Mapping[str, Sum]) -> Markup:
    return _table("Compared", ("log", *_COLUMNS), [(name, *_figures(whole)) for name, whole in logs.items()])


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    return _section(title, "", _scroll(_grid(columns, rows), title))


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The first column names the row, the others are figures."""
    head = (element("th", name, scope="col", class_="n" if i else None) for i, name in enumerate(columns))
    lines = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell, class_="n") for cell in row[1:]))
        for row in rows
    )
    return element("table", element("thead", element("tr", *head)), element("tbody", *lines))


_REQUEST_COLUMNS = ("at", "framework", "tenant", "task", "model", "attempts", "tokens", "cost", "latency", "reason")
_FIGURES = frozenset(("at", "attempts", "tokens", "cost", "latency"))


def _requests(rows: Sequence[Decision]) -> Markup:
    newest = rows[-LISTED:]
    head = (element("th", c, scope="col", class_="n" if c in _FIGURES else None) for c in _REQUEST_COLUMNS)
    table = element(
        "table", element("thead", element("tr", *head)), element("tbody", *(_request_row(row) for row in newest))
    )
    some = f"The newest {count(len(newest))} of {count(len(rows))} requests"
    label = some if len(newest) < len(rows) else f"All {count(len(rows))} requests"
    return element("section", element("details", element("summary", label), _scroll(table, label)))


def _request_row(row: Decision) -> Markup:
    model = row.model if row.model is not None else element("span", "no answer", class_="bad-text")
    tokens = count(row.input_tokens + row.output_tokens)
    figures = (str(len(row.tries)), tokens, money(row.cost_pico), seconds(row.elapsed_s))
    return element(
        "tr", element("td", offset(row.start_s), class_="n"),
        *(element("td", cell) for cell in (row.framework, row.tenant, row.task)),
        element("td", model, " (fallback)" if row.fallback else ""),
        *(element("td", cell, class_="n") for cell in figures),
        element("td", row.reason, _faults(row), class_="reason"),
    )  # fmt: skip


def _faults(row: Decision) -> str:
    failed = [f"{t.model}: {t.detail or t.fault}" for t in row.tries if t.fault is not None]
    return f" [{'; '.join(failed)}]" if failed else ""
