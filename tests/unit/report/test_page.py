from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from unit.report.decisions import attempt, decision
from unit.report.outline import Outline

from capability_router.amounts import money, offset, seconds, share, time_of
from capability_router.cli.main import main
from capability_router.drawing.markup import Markup, element, text
from capability_router.drawing.svg import NARROW, WIDTH, Frame, clipped, clock_label, clock_ticks, ticks
from capability_router.report.charts.cost import by_model, cost_chart
from capability_router.report.charts.palette import Palette
from capability_router.report.charts.requests import attempts_chart, latency_chart
from capability_router.report.data import ReportData
from capability_router.report.figures import accounts, incidents
from capability_router.report.page import page
from capability_router.report.request_row import RequestRow
from capability_router.report.request_tables import LISTED


def _outage(count: int = 40) -> list[dict[str, Any]]:
    """`b` fails between the 15th and the 25th request and `a` stands in for it."""
    failed = [attempt("b/two", "connection", took=0.1), attempt("a/one", start=0.1, pico=40)]
    return [decision(i, *(failed if 15 <= i < 25 else [attempt("b/two", pico=7)])) for i in range(count)]


def decisions(records: Iterable[dict[str, Any]]) -> list[RequestRow]:
    return ReportData.of(records).requests


def test_the_page_stands_alone() -> None:
    source = page(_outage())
    outline = Outline(source)
    names = {tag for tag, _ in outline.tags}
    assert "script" not in names
    assert not names & {"link", "img", "iframe", "object", "image", "use"}
    assert not [a for _, attrs in outline.tags for a in attrs if a.startswith("on") or a in ("src", "href")]
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[a-z]", source.replace("<!DOCTYPE", ""))
    assert "@import" not in source
    assert re.findall(r"url\(([^)]*)\)", source) == ["#hatch"]


@pytest.mark.parametrize("field", ["model", "tenant", "framework", "task", "reason", "policy"])
def test_every_text_of_a_record_is_shown_literally(field: str) -> None:
    evil = "<script>alert('x')</script>\"><b onmouseover=x>&amp;\x00"
    record = {**decision(0, attempt(evil, pico=1) if field == "model" else attempt("a/one")), field: evil}
    outline = Outline(page([record], title=evil, note=evil, against={evil: [record]}))
    assert not [tag for tag, _ in outline.tags if tag in ("script", "b")]
    assert not [a for _, attrs in outline.tags for a in attrs if a.startswith("on")]
    assert any("<script>alert('x')</script>" in said and "\ufffd" in said for said in outline.said)


def test_a_name_does_not_turn_the_figures_behind_it_around() -> None:
    source = page([{**decision(0, attempt("a/one")), "tenant": "acme\u202e", "task": "\u2067chat"}])
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", source)
    assert "acme\ufffd" in source


def test_a_fault_text_is_escaped_too() -> None:
    bad = {**attempt("a/one", "connection"), "detail": "<i>refused</i>"}
    source = page([decision(0, bad, attempt("b/two", start=1))])
    assert "&lt;i&gt;refused&lt;/i&gt;" in source
    assert "<i>" not in source


@given(st.text())
def test_text_is_never_markup_and_never_unprintable(value: str) -> None:
    shown = element("p", value, title=value)
    node = ElementTree.fromstring(shown)  # noqa: S314 - our own text, and that it parses is the point
    kept = re.sub(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]", "\ufffd", value
    )
    assert (node.text or "").replace("\r", "\n") == kept.replace("\r\n", "\n").replace("\r", "\n")


def test_markup_is_put_in_as_it_is_and_none_is_left_out() -> None:
    made = element("p", Markup("<b>x</b>"), "<", class_="a", text_anchor=None, x=1.5)
    assert made == '<p class="a" x="1.5"><b>x</b>&lt;</p>'
    assert text(text("<")) == "&lt;"


def test_the_outage_is_told_and_drawn() -> None:
    source = page(_outage())
    assert "b/two gave no answer from 01-15 08:00:15 to 01-15 08:00:26: 10 × connection" in source
    rows = decisions(_outage())
    palette = Palette(list(accounts(rows)))
    chart = attempts_chart(rows, ["a/one", "b/two"], incidents(rows), palette, WIDTH)
    root = ElementTree.fromstring(chart)  # noqa: S314 - our own
    kinds = [node.get("class") for node in root.iter()]
    assert kinds.count("bad") == kinds.count("cross") == 10  # each failed attempt has a column of its own here
    assert kinds.count("hatched") == 10
    assert kinds.count("band") == 1
    assert "10 answered, 0 failed" in chart
    assert "30 answered, 10 failed" in chart
    assert ">10 × connection<" in chart


def test_headline_figures() -> None:
    source = page([*_outage(39), decision(40, attempt("a/one", "auth", took=0.2))])
    said = Outline(source).said
    assert "97.5 %" in said
    assert "39 of 40 requests" in said
    assert "10" in said
    assert "11 failed attempts" in said
    assert money(10 * 40 + 29 * 7) in said


@pytest.mark.parametrize("wide", [WIDTH, NARROW])
def test_costs_are_drawn_in_proportion_and_stacked(wide: float) -> None:
    paid = (("a", 0, 400), ("b", 0, 100), ("b", 30, 200))
    rows = decisions(decision(at, attempt(model, pico=pico), request_id=f"{model}{at}") for model, at, pico in paid)
    chart = cost_chart(rows, by_model, "model", Palette(["a", "b"]), wide)
    root = ElementTree.fromstring(chart)  # noqa: S314 - our own
    bars = [
        (node.get("class"), float(node.get("y", "0")), float(node.get("height", "0"))) for node in root.iter("rect")
    ]
    (_, top, first), (_, stacked, second), (_, _, third) = bars
    assert [name for name, _, _ in bars] == ["s0", "s1", "s1"]
    assert first == pytest.approx(4 * second, rel=0.01)
    assert third == pytest.approx(2 * second, rel=0.01)
    assert stacked + second == pytest.approx(top, abs=0.02)


_HASTY = [decision(n, attempt("a/one", took=took)) for n, took in enumerate((0.00053, 0.0001, 0.0002))]


@pytest.mark.parametrize("records", [_outage(), [decision(0)], [decision(0), decision(4e7)], _HASTY])
def test_whatever_is_drawn_is_within_its_drawing(records: list[dict[str, Any]]) -> None:
    source = page(records)
    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", source) if "viewBox" in svg]  # noqa: S314 - our own
    assert drawings
    for root in drawings:
        wide, high = (float(size) for size in root.get("viewBox", "").split()[2:])
        for node in root.iter():
            x, y = (float(node.get(name, "0")) for name in ("x", "y"))
            long = (
                float(node.get("width", "0"))
                if node.tag == "rect"
                else 6.6 * len(node.text or "") * (node.tag == "text")
            )
            shift = {"end": -1.0, "middle": -0.5}.get(node.get("text-anchor", ""), 0.0) * long
            assert x + shift >= -0.51, ElementTree.tostring(node)
            assert x + shift + long <= wide + 0.51, ElementTree.tostring(node)
            assert 0 <= y <= high


def test_a_fallback_is_a_ring_and_the_slowest_is_within_the_frame() -> None:
    rows = decisions(_outage())
    root = ElementTree.fromstring(latency_chart(rows, incidents(rows), Palette(["a/one"]), WIDTH))  # noqa: S314 - our own
    dots = list(root.iter("circle"))
    assert len(dots) == 40
    assert sum("ring" in node.get("class", "") for node in dots) == 10
    assert all(14 <= float(node.get("cy", "-1")) <= 250 for node in dots)


_AT_ONCE = (attempt("a", "auth", took=0), attempt("a", took=0))


@pytest.mark.parametrize("records", [[], *([decision(0, each)] for each in _AT_ONCE)])
def test_an_empty_or_lifeless_log_gives_a_page(records: list[dict[str, Any]]) -> None:
    source = page(records)
    Outline(source)
    assert not re.search(r"\bnan\b|\binf\b", source.lower())
    assert ("holds no decisions" in source) == (not records)


def test_a_large_log_gives_a_page_of_bounded_size() -> None:
    source = page([decision(i / 10, attempt(f"m/{i % 30}")) for i in range(20_000)])
    assert len(source) < 1_000_000
    assert f"The newest {LISTED} of 20,000 requests" in source


def test_a_name_without_end_makes_no_table_wide() -> None:
    outline = Outline(page([decision(0, tenant="t" * 150), decision(1)]))
    heads = [attrs.get("class", "") for tag, attrs in outline.tags if tag == "th" and attrs.get("scope") == "row"]
    assert any("long" in (name or "") for name in heads)
    assert not all("long" in (name or "") for name in heads)


def test_a_long_word_may_be_broken_whatever_else_its_cell_is() -> None:
    """Of rules that are as specific as each other the last one counts; else a long name squeezes `why` to letters."""
    style = page([]).partition("<style>")[2].partition("</style>")[0]
    desk, _, phone = style.partition("@media (max-width: 640px)")
    assert 0 < desk.index("\ntd.text {") < desk.index("\ntd.long,")
    assert ".stacked td.text {" in phone
    assert "td.long" not in phone, "it would make cells wider than half a phone"


def test_logs_are_compared() -> None:
    said = Outline(page([decision(0)], against={"rules": [decision(0), decision(1)]})).said
    assert "this log" in said
    assert "rules" in said


@given(st.floats(1e-9, 1e9))
def test_ticks_reach_the_most_in_a_few_round_steps(most: float) -> None:
    marks = ticks(most)
    assert marks[0] == 0
    assert 3 <= len(marks) <= 7
    assert most * (1 - 1e-6) <= marks[-1] <= most * 2


@given(st.floats(0.01, 1e8), st.floats(0, 4e9))
def test_times_are_ticked_at_most_so_many_times_within_and_labels_differ(long_s: float, begin: float) -> None:
    marks, step = clock_ticks(begin, begin + long_s, 8)
    assert len(marks) <= 10
    assert marks == sorted(set(marks))
    assert all(begin - step * 1e-6 <= mark <= begin + long_s + step * 1e-6 for mark in marks)
    labels = [clock_label(mark, step) for mark in marks]
    assert all(one != other for one, other in pairwise(labels))
    assert long_s < 63_072_000 or labels == sorted(labels), "years are told apart"
    assert long_s >= 86_400 or len(set(labels)) == len(labels)


def test_a_frame_keeps_what_is_beyond_at_its_edge() -> None:
    frame = Frame(10, 0, 100, 50, 5.0, 2.0)
    assert (frame.x(-1), frame.x(5), frame.x(9)) == (10, 110, 110)
    assert (frame.y(0), frame.y(2), frame.y(9)) == (50, 0, 0)
    assert Frame(0, 0, 100, 50, 7.0, 2.0, 5.0).x(6) == 50


@pytest.mark.parametrize(
    ("pico", "said"),
    [
        (0, "$0"),
        (1_234_560_000_000, "$1.23"),
        (12_346_000_000, "$0.01235"),
        (7, "$0.000000000007"),
        (10**12, "$1.00"),
        (-(10**12), "-$1.00"),
    ],
)
def test_money(pico: int, said: str) -> None:
    assert money(pico) == said


def test_other_amounts() -> None:
    assert [seconds(v) for v in (None, 0.0421, 1.5, 250)] == ["–", "42 ms", "1.50 s", "250 s"]
    assert [seconds(v) for v in (0, 0.000421, 0.0094, 0.01)] == ["0 ms", "0.42 ms", "9.4 ms", "10 ms"]
    assert [offset(v) for v in (0, 0.3746, 59.64, 60)] == ["0 s", "0.37 s", "59.6 s", "60 s"]
    assert [offset(v) for v in (185, 9_000, 270_000)] == ["3:05 min", "2:30 h", "3 d 03 h"]
    assert time_of(1_800_000_000.4) == "01-15 08:00:00"
    assert (share(1, 3), share(0, 0)) == ("33.3 %", "–")
    assert (clipped("abcdef", 30), clipped("abc", 30)) == ("abc…", "abc")


def test_the_report_command(tmp_path: Any) -> None:
    import json

    log, out = tmp_path / "decisions.jsonl", tmp_path / "report.html"
    log.write_text("\n".join(map(json.dumps, _outage())) + "\n{torn", encoding="utf-8")
    result = CliRunner().invoke(main, ["report", str(log), "-o", str(out), "--title", "Monday"])
    assert result.exit_code == 0, result.output
    assert "40 requests" in result.output
    assert "1 line was left out: 1 × no JSON" in result.output
    assert "<h1>Monday</h1>" in out.read_text(encoding="utf-8")


def test_the_report_command_names_a_missing_log(tmp_path: Any) -> None:
    result = CliRunner().invoke(main, ["report", str(tmp_path / "nowhere.jsonl")])
    assert result.exit_code == 1
    assert "cannot read the decision log" in result.output
