"""Text of 80 columns, and a page that holds what it was given as text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from unit.rehearsal.configurations import config, day, model, steady

from capability_router.drawing.table import wide
from capability_router.rehearsal.rehearsal import Rehearsal
from capability_router.rehearsal.views.page import page
from capability_router.rehearsal.views.text import lines
from capability_router.rehearsal.views.timeline import timeline

LONG = "accounts/somebody/models/a-model-with-a-very-long-name-that-goes-on-and-on-20261126-preview"


@pytest.fixture(scope="module")
def bad() -> Rehearsal:
    words = config(model(LONG, "acme"), model("b", image_inputs=False))
    return day(words, "outage:acme@10s+20s", "auth:b@25s", expect="success>=99%,p95<=3s", advise=True)


@pytest.mark.parametrize("width", [None, 80, 100, 200, 72])
def test_lines_fit(bad: Rehearsal, width: int | None) -> None:
    told = list(lines(bad, width))
    assert max(map(wide, told)) <= min(width or 80, 132)
    text = " ".join(told)
    for part in ("unanswered: ", "advice", "expected", "NOT as expected", "X key or model off", "= a fault holds"):
        assert part in text


def test_a_row_stands_under_its_time(bad: Rehearsal) -> None:
    told = list(lines(bad, 80))
    fault = next(line for line in told if line.startswith("  fault"))
    columns = 80 - 11
    assert fault.index("=") - 11 == pytest.approx(10 / 50 * columns, abs=1)
    assert fault.rindex("=") - 11 == pytest.approx(30 / 50 * columns, abs=1)


def test_each_call_is_in_one_column(bad: Rehearsal) -> None:
    told = timeline(bad.run, bad.spells, bad.models, 37)
    answered = sum(sum(lane.answered) for lane in told.lanes)
    failed = sum(faults.total() for lane in told.lanes for faults in lane.failed)
    assert answered == bad.router.whole.answered
    assert answered + failed == bad.router.calls
    assert sum(told.lost) == bad.router.whole.requests - bad.router.whole.answered


def test_nothing_scripted_is_said() -> None:
    told = "\n".join(lines(day(config(model("a")), traffic=steady(9)), 80))
    assert "no fault was scripted" in told
    assert "a fault holds" not in told


def test_the_page_is_whole_loads_nothing_and_runs_nothing(bad: Rehearsal) -> None:
    text = page(bad)
    ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta [^>]*>", "", text))  # noqa: S314 - our own page
    assert not re.search(r"<script|src=|href=|url\(http", text)
    for part in ("Advice", "Over time", "Faults", "Compared", "Latency", "Not answered", "NOT as expected"):
        assert part in text


def test_names_are_text() -> None:
    evil = model("<img src=x onerror=alert(1)>", "a<b>")
    text = page(day(config(evil), "outage:a<b>@10s+5s", traffic=steady(60, tenant="</p><script>")))
    assert "<img" not in text
    assert "<script" not in text
    assert "&lt;img src=x" in text


def test_the_same_page_twice(bad: Rehearsal) -> None:
    again = day(
        config(model(LONG, "acme"), model("b", image_inputs=False)), "outage:acme@10s+20s", "auth:b@25s",
        expect="success>=99%,p95<=3s", advise=True,
    )  # fmt: skip
    assert page(again) == page(bad)
