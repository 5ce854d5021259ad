"""A rehearsal as a self-contained page: no script, nothing loaded, light and dark, narrow screens too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capability_router.amounts import count, money, seconds, share
from capability_router.drawing.document import document
from capability_router.drawing.markup import Markup, element, join
from capability_router.rehearsal.rehearsal import Rehearsal
from capability_router.rehearsal.result import WHYS
from capability_router.rehearsal.views.charts import STATES, latencies_chart, timeline_chart
from capability_router.rehearsal.views.text import (
    FIGURES,
    avoidance_text,
    expectation_text,
    percent,
    recovery_text,
    when_of,
)
from capability_router.report.charts.palette import Palette
from capability_router.report.tables import headline, section
from capability_router.stats.percentile import percentile

_FOOTER = (
    "Models, network and time are simulated; policy, health, budgets and retries are the router's own. "
    "Costs include failed attempts. Latencies are of answered requests."
)


def page(found: Rehearsal) -> str:
    """The page; every text that is not ours is escaped."""
    palette = Palette(found.models)
    parts = [
        _header(found), _headline(found), _expected(found), _advice(found), _timeline(found, palette), _faults(found),
        _compared(found), _latency(found, palette), _lost(found), _notes(found), element("footer", _FOOTER),
    ]  # fmt: skip
    return document(f"Rehearsal of {found.name}", *parts)


def _header(found: Rehearsal) -> Markup:
    asked = f"{count(len(found.traffic.shapes))} requests over {seconds(found.traffic.seconds)}"
    line = f"{asked} ({found.traffic.told}), policy {found.policy}, seed {found.seed}"
    faults = join(*(element("p", element("code", s.line.text), f" {when_of(s)}") for s in found.spells))
    return element("header", element("h1", f"Rehearsal of {found.name}"), element("p", line, class_="quiet"), faults)


def _headline(found: Rehearsal) -> Markup:
    router, calm, alone = found.router, found.calm, found.alone
    lost = router.whole.requests - router.whole.answered
    return headline((
        ("Answered", percent(router.whole.success), f"{found.alone_model} alone: {percent(alone.whole.success)}"),
        ("In the faults' time", percent(router.during.success), f"alone: {percent(alone.during.success)}"),
        ("P95 latency", seconds(router.latency_s(0.95)), f"without faults {seconds(calm.latency_s(0.95))}"),
        ("Cost", money(router.cost_pico), f"without faults {money(calm.cost_pico)}"),
        ("Not answered", count(lost), f"of {count(router.whole.requests)}, {count(router.fallbacks)} by a fallback"),
    ))  # fmt: skip


def _expected(found: Rehearsal) -> Markup:
    items = [element("li", expectation_text(e), class_="good-text" if e.met else "bad-text") for e in found.expected]
    return section("Expected", "", element("ul", *items)) if items else Markup()


def _advice(found: Rehearsal) -> Markup:
    items = [element("li", _coded(a.what), *_mended(a.mend, a.tried)) for a in found.advice]
    return section("Advice", "", element("ul", *items, class_="advice")) if items else Markup()


def _mended(*parts: str) -> Iterable[Markup]:
    return (element("span", _coded(part), class_="note") for part in parts if part)


def _coded(text: str) -> Markup:
    """What stands between backticks is code."""
    return join(*(element("code", part) if i % 2 else part for i, part in enumerate(text.split("`"))))


def _timeline(found: Rehearsal, palette: Palette) -> Markup:
    note = (
        "Above each line: calls that answered. Below it, red: calls that failed. Shaded: a fault held. "
        "The strip beneath tells how the router saw the model."
    )
    chart = _scroll(timeline_chart(found, palette), "Each model over time")
    seen = [s for s in STATES if any(look.state == s for look in found.run.looks)]
    return section("Over time", note, chart, _legend(seen))


def _legend(states: Sequence[str]) -> Markup:
    def key(state: str) -> Markup:
        swatch = element("rect", width=12, height=12, class_=f"was-{state}")
        return element("li", element("svg", swatch, viewBox="0 0 12 12", aria_hidden="true"), STATES[state])

    return element("ul", *map(key, states), class_="legend") if states else Markup()


def _faults(found: Rehearsal) -> Markup:
    times = {spell.number: when_of(spell) for spell in found.spells}
    rows = [
        (e.text, e.model, times[e.fault], f"{count(e.failed)} of {count(e.calls)}", avoidance_text(e), recovery_text(e))
        for e in found.episodes
    ]
    columns = ("fault", "model", "when", "calls that failed", "left alone", "back")
    return section("Faults", "", _scroll(_grid(columns, rows), "Faults")) if rows else Markup()


def _compared(found: Rehearsal) -> Markup:
    sums = (found.router, found.calm, found.alone)
    rows = [(name, *(seen(s) for s in sums)) for name, seen in FIGURES]
    columns = ("", "router", "without faults", f"{found.alone_model} alone")
    note = "Alone: as a program without a router calls its one model, whose client repeats twice what may pass."
    return section("Compared", note, _scroll(_grid(columns, rows), "Compared"))


def _latency(found: Rehearsal, palette: Palette) -> Markup:
    slow = percentile(found.router.slow, 0.95)
    note = f"A dot is one answered request; a ring was answered by a fallback. In the faults' time P95 {seconds(slow)}."
    return section("Latency", note, latencies_chart(found, palette))


def _lost(found: Rehearsal) -> Markup:
    whys = found.router.whys
    if not whys:
        return Markup()
    example = {row.why: row.detail for row in reversed(found.run.rows) if not row.model}
    items = [
        element("li", f"{count(n)} ({share(n, found.router.whole.requests)}): {WHYS[why]}", *_mended(example[why]))
        for why, n in whys.most_common()
    ]
    return section("Not answered", "With the first of each.", element("ul", *items, class_="advice"))


def _notes(found: Rehearsal) -> Markup:
    items = [element("li", note) for note in found.notes]
    return section("Notes", "", element("ul", *items)) if items else Markup()


def _scroll(content: Markup, label: str) -> Markup:
    return element("div", content, class_="scroll", tabindex=0, role="group", aria_label=label)


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The first column names the row."""
    head = (element("th", name, scope="col", class_="n" if i else None) for i, name in enumerate(columns))
    lines = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell, class_="n") for cell in row[1:]))
        for row in rows
    )
    return element("table", element("thead", element("tr", *head)), element("tbody", *lines))
