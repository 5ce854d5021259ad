"""The drawing of cost and quality: whole, readable, escaped."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

from capability_router.telemetry.frontier import Place, Plane, frontiers
from capability_router.telemetry.svg import CHARACTER, WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def plane(models: list[Place], usual: Place | None = None) -> Plane:
    corners = sorted(models, key=lambda place: place.usd)[:2]
    return Plane("a title", "a note", models, corners, corners, usual or models[0])


def drawn(*planes: Plane) -> ElementTree.Element:
    return ElementTree.fromstring(frontiers(planes))  # noqa: S314 - made just now


def names(root: ElementTree.Element, of: set[str]) -> list[tuple[float, float, float]]:
    found = [node for node in root.iter(f"{SVG}text") if node.text in of]
    return [(float(n.get("x", "")), float(n.get("y", "")), CHARACTER * len(n.text or "")) for n in found]


def test_names_cover_no_other_and_stay_on_the_page() -> None:
    crowd = [Place(f"model-number-{i}", 1.0 + 0.01 * i, 0.6 + 0.002 * i, 0.01) for i in range(14)]
    found = names(drawn(plane(crowd)), {place.name for place in crowd})
    assert len(found) == 14
    for (x, y, long), (other, at, wide) in combinations(found, 2):
        assert abs(y - at) >= 12 or x > other + wide or other > x + long
    assert all(x > 0 and x + long <= WIDTH for x, _, long in found)


def test_dearer_is_further_right_and_better_is_further_up() -> None:
    root = drawn(plane([Place("low", 0.1, 0.4), Place("high", 10.0, 0.9)]))
    dots = {(n.find(f"{SVG}title").text or "").partition(":")[0]: n for n in root.iter(f"{SVG}circle")}  # type: ignore[union-attr]
    low, high = dots["low"], dots["high"]
    assert float(low.get("cx", "")) < float(high.get("cx", ""))
    assert float(low.get("cy", "")) > float(high.get("cy", ""))


def test_free_and_equal_models_can_be_drawn() -> None:
    root = drawn(plane([Place("free", 0.0, 0.5), Place("free too", 0.0, 0.5)]), plane([Place("one", 1.0, 0.5)]))
    assert "nan" not in ElementTree.tostring(root, encoding="unicode").lower()
    assert len(list(root.iter(f"{SVG}g"))) == 2


def test_nothing_is_an_empty_page() -> None:
    assert drawn().tag == f"{SVG}svg"


def test_names_cover_no_point_and_lead_to_their_own() -> None:
    crowd = [Place(f"model-number-{i}", 1.0 + 0.6 * (i % 7), 0.6 + 0.003 * i) for i in range(21)]
    root = drawn(plane(crowd))
    points = [(float(n.get("cx", "")), float(n.get("cy", ""))) for n in root.iter(f"{SVG}circle")]
    for x, y, long in names(root, {place.name for place in crowd}):
        assert not [at for at, up in points if x < at + 4 and at - 4 < x + long and y - 9 < up < y]
    ends = {(n.get("x1"), n.get("y1")) for n in root.iter(f"{SVG}line") if n.get("class") == "lead"}
    assert ends
    assert {(round(float(x or ""), 1), round(float(y or ""), 1)) for x, y in ends} <= {
        (round(x, 1), round(y, 1)) for x, y in points
    }
