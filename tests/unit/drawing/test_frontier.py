"""The drawing of cost and quality: whole, readable, escaped."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

from capability_router.drawing.frontier import FrontierPlot, PlotPoint, frontiers
from capability_router.drawing.svg import CHARACTER, WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def plane(models: list[PlotPoint], usual: PlotPoint | None = None) -> FrontierPlot:
    corners = sorted(models, key=lambda place: place.usd)[:2]
    return FrontierPlot("a title", "a note", models, corners, corners, usual or models[0])


def drawn(*planes: FrontierPlot) -> ElementTree.Element:
    return ElementTree.fromstring(frontiers(planes))  # noqa: S314 - made just now


def names(root: ElementTree.Element, of: set[str]) -> list[tuple[float, float, float]]:
    found = [node for node in root.iter(f"{SVG}text") if node.text in of]
    return [(float(n.get("x", "")), float(n.get("y", "")), CHARACTER * len(n.text or "")) for n in found]


def test_names_cover_no_other_and_stay_on_the_page() -> None:
    crowd = [PlotPoint(f"model-number-{i}", 1.0 + 0.01 * i, 0.6 + 0.002 * i, 0.01) for i in range(14)]
    found = names(drawn(plane(crowd)), {place.name for place in crowd})
    assert len(found) == 14
    for (x, y, long), (other, at, wide) in combinations(found, 2):
        assert abs(y - at) >= 12 or x > other + wide or other > x + long
    assert all(x > 0 and x + long <= WIDTH for x, _, long in found)


def test_what_is_compared_is_crossed_and_named_and_no_name_covers_a_point_or_the_routers_line() -> None:
    models = [PlotPoint(f"model {i}", 1.0 + i, 0.4 + 0.05 * i) for i in range(8)]
    marks = [PlotPoint("random", 4.0, 0.5), PlotPoint("another router", 4.1, 0.7)]
    root = drawn(plane(models)._replace(rule=models[:3], marks=marks))
    assert [n.find(f"{SVG}title").text.partition(":")[0] for n in root.iter(f"{SVG}path")] == [m.name for m in marks]  # type: ignore[union-attr]
    assert sum(n.get("class") == "rule" for n in root.iter(f"{SVG}polyline")) == 1
    dots = [(float(n.get("cx", "")), float(n.get("cy", ""))) for n in root.iter(f"{SVG}circle")]
    line = next(n for n in root.iter(f"{SVG}polyline") if n.get("class") == "learned")
    dots += [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in line.get("points", "").split())]
    found = names(root, {place.name for place in (*models, *marks)} | {"learned router"})
    assert len(found) == 11
    for (x, y, long), (across, down) in ((name, dot) for name in found for dot in dots):
        assert not (x < across < x + long and y - 9 < down < y + 3), "a name over a point"


def test_dearer_is_further_right_and_better_is_further_up() -> None:
    root = drawn(plane([PlotPoint("low", 0.1, 0.4), PlotPoint("high", 10.0, 0.9)]))
    dots = {(n.find(f"{SVG}title").text or "").partition(":")[0]: n for n in root.iter(f"{SVG}circle")}  # type: ignore[union-attr]
    low, high = dots["low"], dots["high"]
    assert float(low.get("cx", "")) < float(high.get("cx", ""))
    assert float(low.get("cy", "")) > float(high.get("cy", ""))


def test_free_and_equal_models_can_be_drawn() -> None:
    root = drawn(
        plane([PlotPoint("free", 0.0, 0.5), PlotPoint("free too", 0.0, 0.5)]), plane([PlotPoint("one", 1.0, 0.5)])
    )
    assert "nan" not in ElementTree.tostring(root, encoding="unicode").lower()
    assert len(list(root.iter(f"{SVG}g"))) == 2


def test_nothing_is_an_empty_page() -> None:
    assert drawn().tag == f"{SVG}svg"


def test_names_cover_no_point_and_lead_to_their_own() -> None:
    crowd = [PlotPoint(f"model-number-{i}", 1.0 + 0.6 * (i % 7), 0.6 + 0.003 * i) for i in range(21)]
    root = drawn(plane(crowd))
    points = [(float(n.get("cx", "")), float(n.get("cy", ""))) for n in root.iter(f"{SVG}circle")]
    for x, y, long in names(root, {place.name for place in crowd}):
        assert not [at for at, up in points if x < at + 4 and at - 4 < x + long and y - 9 < up < y]
    ends = {(n.get("x1"), n.get("y1")) for n in root.iter(f"{SVG}line") if n.get("class") == "leader"}
    assert ends
    assert {(round(float(x or ""), 1), round(float(y or ""), 1)) for x, y in ends} <= {
        (round(x, 1), round(y, 1)) for x, y in points
    }


def test_what_is_no_money_has_no_sign_of_it() -> None:
    for across, sign in (("USD per 1,000 requests", "$"), ("P95, seconds", "")):
        root = drawn(plane([PlotPoint("one", 1.0, 0.4), PlotPoint("other", 5.0, 0.6)])._replace(across=across))
        told = [node.text or "" for node in root.iter(f"{SVG}text")]
        assert f"{across} (logarithmic)" in told
        assert f"{sign}2" in told
        tips = [title.text or "" for title in root.iter(f"{SVG}title")]
        assert f"one: score 0.400, {sign}1 {across.removeprefix('USD ')}" in tips


def test_a_line_is_called_what_it_is() -> None:
    one = plane([PlotPoint("low", 0.1, 0.4), PlotPoint("high", 10.0, 0.9)])
    told = ElementTree.tostring(drawn(one._replace(router="adaptive", usually="as in the table")), encoding="unicode")
    assert "adaptive as in the table: score 0.400, $0.1" in told
    assert "learned router" not in told
    assert "learned router at the usual cost weight" in ElementTree.tostring(drawn(one), encoding="unicode")
