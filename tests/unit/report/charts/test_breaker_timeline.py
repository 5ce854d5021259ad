from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.drawing.svg import NARROW, WIDTH
from capability_router.report.charts.health import breaker_chart
from capability_router.report.data import ReportData
from capability_router.report.page import page
from capability_router.report.unhealthy_spans import UnhealthySpan, unhealthy_spans
from capability_router.testing import ask, scripted_router


def change(at: float, event: str, model: str = "a", router: str = "r") -> dict[str, Any]:
    return {
        "schema_version": 1, "kind": "health", "at": BEGAN + at, "router": router, "model": model, "event": event,
        "detail": "why",
    }  # fmt: skip


def spans(*records: dict[str, Any]) -> list[tuple[str, str, float, float | None]]:
    traffic = ReportData.of(records)
    found = unhealthy_spans(traffic.changes, traffic.requests)
    return [
        (a.model, a.state, a.start_s - BEGAN, None if a.end_s is None else a.end_s - BEGAN)
        for own in found.values()
        for a in own
    ]


def test_a_breaker_opens_half_opens_opens_again_and_closes() -> None:
    turns = ("breaker_opened", "breaker_half_open", "breaker_opened", "breaker_half_open", "breaker_closed")
    assert spans(*(change(10.0 * i, turn) for i, turn in enumerate(turns))) == [
        ("a", "open", 0, 10), ("a", "half open", 10, 20), ("a", "open", 20, 30), ("a", "half open", 30, 40),
    ]  # fmt: skip


def test_a_key_and_a_breaker_are_told_apart_and_a_reset_ends_both() -> None:
    found = spans(change(0, "breaker_opened"), change(1, "credential_disabled"), change(5, "reset"))
    assert found == [("a", "open", 0, 5), ("a", "key off", 1, 5)]
    assert spans(change(0, "breaker_opened"), change(1, "credential_enabled")) == [("a", "open", 0, None)]


def test_another_router_says_nothing_of_this_ones_breaker() -> None:
    found = spans(change(0, "breaker_opened"), change(5, "breaker_closed", router="other"))
    assert found == [("a", "open", 0, None)]


def test_the_models_own_next_answer_ends_what_nothing_else_ends() -> None:
    rows = (decision(-5, attempt("a")), decision(7, attempt("a", "auth")), decision(9, attempt("a")))
    assert spans(change(0, "credential_disabled"), *rows) == [("a", "key off", 0, 9)]


@pytest.mark.parametrize("wide", [WIDTH, NARROW])
def test_spans_are_drawn_where_they_were(wide: float) -> None:
    aways_ = {"a": [UnhealthySpan("a", "open", 25.0, 50.0, ""), UnhealthySpan("a", "half open", 50.0, None, "")]}
    root = ElementTree.fromstring(breaker_chart(aways_, (0.0, 100.0), wide))  # noqa: S314 - our own
    (left, right) = (
        (node.get("class"), float(node.get("x", "0")), float(node.get("width", "0"))) for node in root.iter("rect")
    )
    assert (left[0], right[0]) == ("bad", "halfway")
    assert right[2] == pytest.approx(2 * left[2], abs=0.02)
    assert left[1] + left[2] == pytest.approx(right[1], abs=0.02)


def test_a_routers_own_breaker_is_on_the_page() -> None:
    router, kept = scripted_router({"a": ["auth"], "b": ["ok"] * 3}), list[dict[str, Any]]()
    router.add_sink(kept.append)
    ask(router)
    router.close()
    assert "a key off from" in page(kept)
    assert "No breaker opened" in page([decision(0)])
