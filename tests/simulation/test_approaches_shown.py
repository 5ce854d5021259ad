"""What is shown of the approaches: the picture of many runs, and the table that a run over HTTP writes."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchmarks.approaches import http
from benchmarks.approaches.approach import ADAPTIVE, NAMES, SINGLE
from benchmarks.approaches.provider import Outage
from benchmarks.approaches.scatter import drawn
from benchmarks.approaches.sensitivity import COMPARED, rows
from benchmarks.approaches.sheet import RequestLine, sheet

PAGE = "Before.\n<!-- bench http -->\nold\n<!-- /bench -->\nAfter.\n"


def line(took_s: float) -> RequestLine:
    return RequestLine(0.0, "classify", "m", 1.0, 10**9, took_s, 100, 0, 1)


def test_each_workload_has_its_cost_and_its_p95_beside_each_other() -> None:
    one, other = sheet([line(1.0)], []), sheet([line(2.0)], [])
    by = {"single": [one], "adaptive": [other]}
    cells = {(workload, ladder): by for workload in ("mixed", "labels") for ladder in ("list", "wide")}
    svg = unescape(drawn(cells, "single", ["adaptive"]))
    assert [svg.count(f"{name} / single model's (log") for name in ("cost", "P95")] == [2, 2]
    twice = {float(x) for x in re.findall(r'<circle cx="([\d.]+)"[^>]*class="run c0"', svg)}
    panels = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", svg)
    assert len(twice) == 2, "the same cost in one panel, twice the P95 in the other"
    assert len({y for _, y in panels}) == 2
    assert len({x for x, _ in panels}) == 2


def test_a_row_tells_what_was_answered_through_outages() -> None:
    away = [Outage("m", "down", 0.0, 1.0)]
    one, own = sheet([line(4.0)], away), sheet([line(1.0), line(1.0)._replace(model=None)], away)
    told = list(rows(("mixed", "list"), {SINGLE: [one], **{name: [own] for name in COMPARED}}))
    assert [line.split(" | ")[2] for line in told] == list(NAMES[1:])
    assert told[NAMES.index(ADAPTIVE) - 1] == "| mixed | list | adaptive | 2.000 | 1.000 | -0.500 | 0.25 | 50.00 % |"


@pytest.mark.parametrize(("agrees", "status"), [(True, 0), (False, 1)])
def test_only_a_run_over_http_that_agrees_is_written(
    agrees: bool, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, ground = tmp_path / "page.md", Any
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(http.fitting, "prepared", lambda _: None)
    monkeypatch.setattr(http, "_lines", lambda *_: [("| P50 | 1 | 1 | 20% | yes |", True), ("| P95 |", agrees)])
    assert http.compared(ground, 1, page) == status  # type: ignore[arg-type]  # nothing asks it
    told = page.read_text(encoding="utf-8")
    assert ("| P50 | 1 | 1 | 20% | yes |\n| P95 |\n<!-- /bench -->\nAfter." in told) is agrees
    assert (told == PAGE) is not agrees
    assert ("NOT WRITTEN" in capsys.readouterr().err) is not agrees


def test_a_page_without_a_place_for_the_table_is_told_before_anything_runs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing.", encoding="utf-8")
    with pytest.raises(LookupError, match="no part for http"):
        http.compared(Any, 1, page)  # type: ignore[arg-type]  # nothing asks it
