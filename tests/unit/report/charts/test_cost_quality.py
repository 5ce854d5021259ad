from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from unit.report.decisions import attempt, decision

from capability_router.drawing.svg import NARROW, WIDTH
from capability_router.report.charts.cost_quality import plane_chart, points, told
from capability_router.report.charts.palette import Palette
from capability_router.report.data import ReportData
from capability_router.report.page import page


def planned(*models: tuple[str, float, float]) -> dict[str, Any]:
    return {"candidates": [{"id": id, "quality": quality, "cost_usd": usd} for id, quality, usd in models]}


PLAN = planned(("a/one", 0.6, 1e-9), ("b/two", 0.9, 4e-9))


def scored(number: int, score: float) -> dict[str, Any]:
    return {"schema_version": 1, "kind": "feedback", "request_id": f"id-{number}", "model": "a/one", "score": score}


def test_models_as_if_alone_and_policies_as_they_came_out() -> None:
    rows = [
        decision(n, attempt("a/one", pico=2_000), plan=PLAN, policy=("cheapest", "adaptive")[n % 2]) for n in range(4)
    ]
    shadow = {"policy": "weighted", "chosen": "b/two", "quality": 0.9, "cost_usd": 4e-9, "differs": True}
    found = points(ReportData.of([*rows[:3], {**rows[3], "shadow": shadow}]))
    assert [(p.kind, p.name, round(p.usd * 1e6, 3), p.quality, p.requests) for p in found] == [
        ("model", "a/one", 1.0, 0.6, 4), ("model", "b/two", 4.0, 0.9, 4),
        ("policy", "adaptive", 2.0, 0.6, 2), ("policy", "cheapest", 2.0, 0.6, 2),
        ("shadow", "weighted (shadow)", 4.0, 0.9, 1),
    ]  # fmt: skip
    priced = {"prices": {"b/two": {"input_mtok": 3, "output_mtok": 5}}}
    anew = points(ReportData.of([{**rows[3], "shadow": shadow, "basis": priced}]))
    assert anew[-1].usd == pytest.approx(1e3 * (3 * 100 + 5 * 10) / 1e6), (
        "with the tokens that were counted, where a price is known"
    )
    assert told(found[0]) == "a/one: quality 0.600, $0.000001000 per 1,000 requests, of 4 requests"


def test_scores_place_a_policy_with_its_interval() -> None:
    rows = [decision(n, attempt("a/one", pico=2_000), plan=PLAN) for n in range(40)]
    found = points(ReportData.of([*rows, *(scored(n, float(n % 2)) for n in range(40))]))
    (place,) = (point for point in found if point.kind == "scored")
    assert (place.quality, place.requests) == (0.5, 40)
    assert place.error == pytest.approx((0.25 * 40 / 39 / 40) ** 0.5)
    few = points(ReportData.of([*rows, *(scored(n, 1.0) for n in range(19))]))
    assert not [point for point in few if point.kind == "scored"]


@pytest.mark.parametrize("wide", [WIDTH, NARROW])
def test_no_name_lies_over_another_or_over_a_point(wide: float) -> None:
    models = [(f"vendor/model-{n}", 0.9 + 0.001 * n, 1e-3 * (1 + 0.02 * n)) for n in range(10)]
    every = points(ReportData.of([decision(1, attempt(models[0][0], pico=10**9), plan=planned(*models))]))
    root = ElementTree.fromstring(plane_chart(every, Palette([]), wide))  # noqa: S314 - our own
    names = {point.name for point in every}
    boxes = [
        (float(node.get("x", "0")), float(node.get("y", "0")), 6.6 * len(node.text or ""))
        for node in root.iter("text")
        if (node.text or "") in names
    ]
    assert len(boxes) >= 3
    for i, (x, y, long) in enumerate(boxes):
        assert x >= 0
        assert x + long <= wide
        assert not [1 for a, b, other in boxes[:i] if abs(b - y) < 11 and x < a + other and a < x + long]


def test_without_predictions_the_page_says_so() -> None:
    assert "predict no quality, so nothing can be placed" in page([decision(1)])
