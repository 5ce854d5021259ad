"""The report: decision records as one self-contained HTML page, charts as inline SVG, no script, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from capability_router.amounts import brief, count, money, offset, seconds, share, stamp
from capability_router.decision_log.reading import omissions_text
from capability_router.drawing.document import document
from capability_router.drawing.markup import Markup, element
from capability_router.report.charts.cost import Spending, by_model, by_task, by_tenant, cost_chart, names_of
from capability_router.report.charts.cost_quality import plane_chart, points
from capability_router.report.charts.health import breaker_chart, span_text
from capability_router.report.charts.palette import Palette
from capability_router.report.charts.requests import attempts_chart, incident_text, latency_chart
from capability_router.report.data import ReportData
from capability_router.report.figures import (
    Incident,
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
from capability_router.report.request_tables import extremes, newest
from capability_router.report.single_model import Savings
from capability_router.report.tables import chart, grid, headline, part, said, section
from capability_router.report.task_fit import fits
from capability_router.report.task_fit_section import fit_section
from capability_router.report.unhealthy_spans import unhealthy_spans
from capability_router.stats.percentile import percentiles

TOLD = 20
"""Incidents, and spans of breakers, in words: the first."""
_LANES = 12  # models with a lane of their own
_FOOTER = "Times are UTC. Costs include failed attempts. P50 and P95 are of answered requests."
Records = Iterable[Mapping[str, Any]]


def page(
    records: Records, *, title: str = "Routing report", against: Mapping[str, Records] | None = None, note: str = ""
) -> str:
    """The page for these records, of all kinds. `against`: other logs of the same requests, to compare totals with.

    `note` is a sentence under the title. Every text of the records is escaped.
    """
    others = {name: total(ReportData.of(theirs).requests) for name, theirs in (against or {}).items()}
    return page_of(ReportData.of(records), title=title, against=others, note=note)


def page_of(
    traffic: ReportData,
    *,
    title: str,
    against: Mapping[str, RequestTotals],
    note: str = "",
    strongest: str | None = None,
) -> str:
    """The page for what was gathered. `strongest`: the model to compare costs with; None = it is found."""
    body = [_header(traffic.requests, title, note)]
    empty = element("section", element("p", "The log holds no decisions yet."))
    body += _sections(traffic, against, strongest) if traffic.requests else [empty]
    if left := omissions_text(traffic.omitted):
        body.append(section("Left out", "", said(f"{left}.")))
    return document(title, *body, element("footer", _FOOTER))


def _header(rows: Sequence[RequestRow], title: str, note: str) -> Markup:
    policies = ", ".join(sorted({row.policy for row in rows if row.policy})[:TOLD])
    begin, end = span(rows)
    when = f"{count(len(rows))} requests over {offset(end - begin)}"
    line = f"{when} from {stamp(begin)}, policy {policies or 'unknown'}" if rows else ""
    remark = element("p", note) if note else ""
    return element("header", element("h1", title), element("p", line, class_="quiet"), remark)


def _sections(traffic: ReportData, against: Mapping[str, RequestTotals], strongest: str | None) -> list[Markup]:
    rows = traffic.requests
    found, by_name, whole = incidents(rows), accounts(rows), total(rows)
    palette = Palette(list(by_name))
    savings = traffic.alone.savings(strongest)
    return [
        _headline(whole, savings),
        *([_comparison([("this log", whole), *against.items()])] if against else []),
        _cost(rows, by_name, palette, savings, strongest),
        _plane(traffic, palette),
        _latency(rows, found, by_name, palette),
        _attempts(rows, found, by_name, palette),
        _breakers(traffic),
        fit_section(fits(traffic)),
        _refusals(traffic),
        extremes(rows),
        newest(rows),
    ]


def _headline(whole: RequestTotals, savings: Savings | None) -> Markup:
    answered = f"{count(whole.answered)} of {count(whole.requests)} requests"
    unpriced = f"; {count(whole.unpriced)} of unknown cost" if whole.unpriced else ""
    each = f"{money(round(whole.cost_pico / max(whole.requests, 1)))} per request{unpriced}"
    figures = [
        ("Answered", share(whole.answered, whole.requests), answered),
        ("Cost", money(whole.cost_pico), each),
        ("P95 latency", seconds(whole.latency_s(0.95)), f"half within {seconds(whole.latency_s(0.5))}"),
        ("Fallbacks", share(whole.fallbacks, whole.requests), f"{count(whole.failed_attempts)} failed attempts"),
        ("Tokens", brief(whole.tokens), f"{brief(whole.input_tokens)} in, {brief(whole.output_tokens)} out"),
    ]
    if savings is not None:
        saved = share(savings.saved_pico, savings.always_pico)
        figures.insert(2, ("Saved", saved, f"against always {savings.strongest}"))
    return headline(figures)


def _savings(savings: Savings | None, strongest: str | None) -> list[str]:
    if savings is None:
        why = f"{strongest} could have taken none of these requests" if strongest else "no plan tells who could have"
        return [f"Savings against always the strongest model are unknown: {why}, or its price is not known."]
    of = f"{count(savings.requests)} of {count(savings.answered)} answered requests"
    sentences = [
        f"Against always {savings.strongest} ({savings.chosen_by}): {money(savings.spent_pico)} in place of "
        f"{money(savings.always_pico)}, so {money(savings.saved_pico)} or "
        f"{share(savings.saved_pico, savings.always_pico)} saved, on the {of} that it could have taken. "
        "Each answer's tokens, as counted, are priced with its price; its own answers may be longer or shorter."
    ]
    if savings.guessed:
        sentences.append(
            f"For {count(savings.guessed)} of them the log holds no price of it: what their plans expected counts."
        )
    return sentences


def _cost(
    rows: Sequence[RequestRow], by_name: Mapping[str, ModelTotals], palette: Palette, savings: Savings | None,
    strongest: str | None,
) -> Markup:  # fmt: skip
    parts = (
        ("By model", "model", by_model, palette, _model_costs(by_name)),
        ("By tenant", "tenant", by_tenant, None, _totals("tenant", rows, lambda row: row.tenant)),
        ("By task", "task", by_task, None, _totals("task", rows, lambda row: row.task)),
    )
    drawn = (part(title, *_over_time(rows, key, what, colours), table) for title, what, key, colours, table in parts)
    return section("Cost", "", *map(said, _savings(savings, strongest)), *drawn)


def _over_time(rows: Sequence[RequestRow], key: Spending, what: str, palette: Palette | None) -> list[Markup]:
    names = names_of(rows, key)
    if not sum(row.cost_pico for row in rows):
        return [said("Nothing was paid, or no price is known.")]
    if len(names) < 2:
        whose = f"All of it is of {what} {names[0]}." if names and names[0] else f"No request states a {what}."
        return [] if palette is not None else [said(whose)]
    colours = palette or Palette(names)
    return [chart(partial(cost_chart, rows, key, what, colours)), colours.legend(names)]


_COSTS = ("model", "calls", "cost", "share", "per call")


def _model_costs(found: Mapping[str, ModelTotals]) -> Markup:
    whole = sum(each.cost_pico for each in found.values())
    return grid(_COSTS, (
        (model, count(a.calls), money(a.cost_pico), share(a.cost_pico, whole), money(round(a.cost_pico / a.calls)))
        for model, a in found.items()
    ))  # fmt: skip


_COLUMNS = ("requests", "answered", "fallbacks", "tokens in", "tokens out", "cost", "per request", "P95")


def _figures(whole: RequestTotals) -> tuple[str, ...]:
    return (
        count(whole.requests), share(whole.answered, whole.requests), share(whole.fallbacks, whole.requests),
        count(whole.input_tokens), count(whole.output_tokens), money(whole.cost_pico),
        money(round(whole.cost_pico / max(whole.requests, 1))), seconds(whole.latency_s(0.95)),
    )  # fmt: skip


def _totals(what: str, rows: Sequence[RequestRow], key: Callable[[RequestRow], str]) -> Markup:
    return grid((what, *_COLUMNS), [(name or "(none)", *_figures(s)) for name, s in sums(rows, key).items()])


def _comparison(logs: Sequence[tuple[str, RequestTotals]]) -> Markup:
    return section("Compared", "", grid(("log", *_COLUMNS), [(name, *_figures(whole)) for name, whole in logs]))


def _plane(traffic: ReportData, palette: Palette) -> Markup:
    title, every = "Cost and quality", points(traffic)
    if len(every) < 2:
        return section(title, "", said("The plans of this log predict no quality, so nothing can be placed."))
    note = (
        "A coloured dot is a model, had it taken all the requests that it was eligible for: the quality that plans "
        "predicted of it, and what it would have cost. A larger dot is a policy as it came out: the predicted quality "
        "of the models it used, and what was paid, failed attempts included; hollow, with its 95 % interval: by the "
        "scores that answers got. A cross is what a shadow would have done. Up and to the left is better."
    )
    return section(title, note, chart(partial(plane_chart, every, palette)))


_LATENCY = ("model", "answers", "P50", "P95", "P99", "streams", "TTFT P50", "TTFT P95", "TTFT P99")


def _latency(
    rows: Sequence[RequestRow], found: Sequence[Incident], by_name: Mapping[str, ModelTotals], palette: Palette
) -> Markup:  # fmt: skip
    if not any(row.model is not None for row in rows):
        return section("Latency", "", said("No request was answered."))
    note = "A dot is one answered request; a ring was answered by a fallback. Shaded: a model gave no answer."
    drawn = chart(partial(latency_chart, rows, found, palette))
    table = grid(_LATENCY, (_latencies(model, account) for model, account in by_name.items() if account.answered))
    ttft = any(account.ttfts for account in by_name.values())
    unstreamed = "" if ttft else said("No request was streamed, so no time to a first token is known.")
    of = said("Of the model's own answers, each from the begin of its attempt; TTFT of streams.")
    return section("Latency", note, drawn, palette.legend(by_name), part("By model", of, unstreamed, table))


def _latencies(model: str, account: ModelTotals) -> tuple[str, ...]:
    whole, first = (percentiles(values, 0.5, 0.95, 0.99) for values in (account.latencies, account.ttfts))
    return (
        model, count(account.answered), *map(seconds, whole),
        *((count(len(account.ttfts)), *map(seconds, first)) if account.ttfts else ("–",) * 4),
    )  # fmt: skip


def _attempts(
    rows: Sequence[RequestRow], found: Sequence[Incident], by_name: Mapping[str, ModelTotals], palette: Palette
) -> Markup:  # fmt: skip
    title, names = "Success and fallbacks", list(by_name)[:_LANES]
    if not by_name:
        return section(title, "", said("Nothing was sent to any model."))
    note = (
        "Above the line: attempts that answered, hatched where they stood in for another model. "
        "Below it, red: attempts that failed."
    )
    more = said(f"{count(len(by_name) - _LANES)} more models are not drawn.") if len(by_name) > _LANES else ""
    drawn = chart(partial(attempts_chart, rows, names, found, palette))
    table = grid(_RATES, (_rates(model, account) for model, account in by_name.items()), texts=("faults",))
    return section(title, note, drawn, more, _listed(list(map(incident_text, found))), table)


_RATES = ("model", "calls", "answered", "failed", "as a fallback", "faults")


def _rates(model: str, account: ModelTotals) -> tuple[str, ...]:
    faults = ", ".join(f"{n:,} × {fault}" for fault, n in account.faults.most_common(5))
    return (
        model, count(account.calls), share(account.answered, account.calls), count(account.failed),
        share(account.rescued, account.answered), faults or "none",
    )  # fmt: skip


def _listed(sentences: Sequence[str]) -> Markup:
    items = [element("li", sentence) for sentence in sentences[:TOLD]]
    more = len(sentences) - len(items)
    rest = [element("li", f"and {count(more)} more")] if more > 0 else []
    return element("ul", *items, *rest) if items else Markup()


def _breakers(traffic: ReportData) -> Markup:
    title, found = "Breakers", unhealthy_spans(traffic.changes, traffic.requests)
    if not found:
        return section(title, "", said("No breaker opened, and no key or model was put off, as far as this log tells."))
    note = (
        "Red: the model was left alone (its breaker was open, its key or itself refused, or it was isolated). Amber: "
        "half open, a few calls try it out. Several processes on one log are drawn over each other."
    )
    drawn = {name: found[name] for name in list(found)[:_LANES]}
    more = said(f"{count(len(found) - _LANES)} more models are not drawn.") if len(found) > _LANES else ""
    spans = [span_text(away) for own in found.values() for away in own if away.state != "half open"]
    return section(title, note, chart(partial(breaker_chart, drawn, span(traffic.requests))), more, _listed(spans))


_REFUSED = ("rule", "requests", "of all", "nobody was left", "models", "for example")


def _refusals(traffic: ReportData) -> Markup:
    title, found, every = "Refusals by rule", refusals(traffic.requests), len(traffic.requests)
    if not found:
        return section(title, "", said("Every model was eligible for every request."))
    lines = (
        (
            rule or "(none)", count(each.requests), share(each.requests, every), count(each.unserved),
            ", ".join(f"{model} {n:,}" for model, n in each.models.most_common(4)), traffic.details.get(rule, ""),
        )
        for rule, each in found.items()
    )  # fmt: skip
    note = "How many requests a rule kept from at least one model, and which models; nobody was left: nothing was sent."
    return section(title, note, grid(_REFUSED, lines, texts=("models", "for example")))
