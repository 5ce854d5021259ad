"""An SVG file with cost and quality on a plane: single models, mixes of them, and what routing reaches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from capability_router.drawing.markup import Markup, element, join
from capability_router.drawing.scales import Label, Scales, decades, is_clear, score_marks
from capability_router.drawing.svg import CHARACTER, WIDTH, clipped, cross, dot, rule, words

_LEFT, _TOP, _WIDE, _HIGH, _EACH = 66.0, 46.0, WIDTH - 66.0 - 190.0, 290.0, 400.0
_LINE = 13.0  # between two labels, one above the other
_POINT, _ASIDE, _BELOW = 6.0, 9.0, 4.0  # half a point; from its middle to a label beside it, and to its base
_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #16191d; }
text { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }
.title { font-size: 15px; font-weight: 650; } .quiet, .tick { fill: #59616b; font-size: 11.5px; }
.paper { fill: #ffffff; } .grid { stroke: #e4e7eb; } .axis { stroke: #59616b; }
.model { fill: #7b838d; } .whisker, .leader { stroke: #7b838d; stroke-opacity: .6; } .leader { stroke-width: .75; }
.mixed { fill: none; stroke: #7b838d; stroke-width: 1.5; stroke-dasharray: 5 4; }
.rule { fill: none; stroke: #b0651a; stroke-width: 1.5; stroke-dasharray: 1.5 3; }
.mark { fill: none; stroke: #b0651a; stroke-width: 1.75; } .compared { fill: #8f4f10; }
.learned { fill: none; stroke: #2a78d6; stroke-width: 2.5; } .usual { fill: #2a78d6; }
.told { fill: #2a78d6; font-weight: 650; }
@media (prefers-color-scheme: dark) {
text { fill: #e9ecef; stroke: #1b1e23; } .quiet, .tick { fill: #a2abb5; } .paper { fill: #1b1e23; }
.grid { stroke: #2f353c; }
.axis { stroke: #a2abb5; } .rule, .mark { stroke: #e0a060; } .compared { fill: #eab47c; }
.model { fill: #8d96a1; } .learned { stroke: #5b9df0; } .usual, .told { fill: #5b9df0; } }
"""


class PlotPoint(NamedTuple):
    """USD per 1,000 requests, mean score, and its standard error."""

    name: str
    usd: float
    score: float
    error: float = 0.0


class FrontierPlot(NamedTuple):
    """`mixed`, `learned`: corners of lines, in the order of cost; `usual`: where the learned router is by default.

    `router`, `usually`: the labels of the line `learned` and of the point `usual`.

    `across`: the quantity on the x axis, with its unit, if it is not cost. Compared with: `rule`, the corners of
    another router's line, and `marks`, single points.
    """

    title: str
    note: str
    models: Sequence[PlotPoint]
    mixed: Sequence[PlotPoint]
    learned: Sequence[PlotPoint]
    usual: PlotPoint
    rule: Sequence[PlotPoint] = ()
    marks: Sequence[PlotPoint] = ()
    across: str = "USD per 1,000 requests"
    router: str = "learned router"
    usually: str = "at the usual cost weight"

    @property
    def sign(self) -> str:
        """The prefix of numbers on the x axis."""
        return "$" if self.across.startswith("USD") else ""

    def figures(self, place: PlotPoint) -> str:
        """A place in words."""
        return f"score {place.score:.3f}, {self.sign}{place.usd:.4g} {self.across.removeprefix('USD ')}"


def frontiers(planes: Sequence[FrontierPlot]) -> str:
    """An SVG file with a chart per plane, one below the other."""
    height = _EACH * max(len(planes), 1)
    charts = [element("g", _chart(plane), transform=f"translate(0 {_EACH * i:g})") for i, plane in enumerate(planes)]
    drawing = element(
        "svg", element("title", "Cost and quality"), element("style", Markup(_STYLE)),
        element("rect", width=WIDTH, height=height, class_="paper"), *charts,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {height:g}", width=f"{WIDTH:g}",
        height=f"{height:g}", role="img",
    )  # fmt: skip
    return f"{drawing}\n"


def _scales(plane: FrontierPlot) -> Scales:
    places = [*plane.models, *plane.learned, *plane.rule, *plane.marks, plane.usual]
    scores = [place.score for place in places]
    marks = score_marks(
        [p.score - p.error for p in places], [p.score + p.error for p in places], max(max(scores) - min(scores), 0.05)
    )
    low, high = decades([place.usd for place in places], 0.08)
    return Scales(_LEFT, _LEFT + _WIDE, _TOP, _TOP + _HIGH, low, high, marks)


def _costs(scales: Scales) -> list[float]:
    """Round values within the axis: 1, 2 and 5 times powers of ten, or only powers if there are many."""
    powers = range(math.floor(scales.low), math.ceil(scales.high) + 1)
    steps = (1, 2, 5) if scales.high - scales.low < 2.5 else (1,)
    every = (m * 10.0**power for power in powers for m in steps)
    return [usd for usd in every if scales.low <= math.log10(usd) <= scales.high]


def _chart(plane: FrontierPlot) -> Markup:
    scales = _scales(plane)
    told = f"{plane.router} {plane.usually}: {plane.figures(plane.usual)}"
    return join(
        words(_LEFT, 18, clipped(plane.title, WIDTH - 100), "title"),
        words(_LEFT, 35, clipped(plane.note, WIDTH - 40), "quiet"),
        _axes(scales, plane), _line(plane.mixed, scales, "mixed"), _line(plane.rule, scales, "rule"),
        _line(plane.learned, scales, "learned"),
        *(_model(model, scales, plane) for model in plane.models), *(_mark(m, scales, plane) for m in plane.marks),
        dot(scales.x(plane.usual.usd), scales.y(plane.usual.score), 5.5, "usual", told),
        _names(plane, scales),
    )  # fmt: skip


def _axes(scales: Scales, plane: FrontierPlot) -> Markup:
    bottom, right = _TOP + _HIGH, _LEFT + _WIDE
    across = [rule(_LEFT, scales.y(v), right, scales.y(v), "grid") for v in scales.marks]
    scores = [words(_LEFT - 8, scales.y(v) + 4, f"{v:.3g}", "tick", "end") for v in scales.marks]
    up = [rule(scales.x(usd), _TOP, scales.x(usd), bottom, "grid") for usd in _costs(scales)]
    costs = [words(scales.x(usd), bottom + 16, f"{plane.sign}{usd:g}", "tick", "middle") for usd in _costs(scales)]
    under = words(_LEFT + _WIDE / 2, bottom + 34, f"{plane.across} (logarithmic)", "quiet", "middle")
    beside = words(_LEFT + 6, _TOP + 13, "mean score", "quiet")
    return join(beside, *across, *up, rule(_LEFT, bottom, right, bottom, "axis"), *scores, *costs, under)


def _line(corners: Sequence[PlotPoint], scales: Scales, class_: str) -> Markup:
    """Mixing is a straight line in USD, so a curve on this axis: each stretch is drawn in pieces."""
    points = [(scales.x(p.usd), scales.y(p.score)) for p in _pieces(corners)]
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def _pieces(corners: Sequence[PlotPoint], count: int = 24) -> Iterable[PlotPoint]:
    for low, high in pairwise(corners):
        for i in range(count):
            part = i / count
            yield PlotPoint("", low.usd + part * (high.usd - low.usd), low.score + part * (high.score - low.score))
    yield from corners[-1:]


def _model(model: PlotPoint, scales: Scales, plane: FrontierPlot) -> Markup:
    x, y = scales.x(model.usd), scales.y(model.score)
    whisker = rule(x, scales.y(model.score - model.error), x, scales.y(model.score + model.error), "whisker")
    return join(whisker, dot(x, y, 4.0, "model", f"{model.name}: {plane.figures(model)}"))


def _mark(mark: PlotPoint, scales: Scales, plane: FrontierPlot) -> Markup:
    return cross(scales.x(mark.usd), scales.y(mark.score), "mark", f"{mark.name}: {plane.figures(mark)}")


def _names(plane: FrontierPlot, scales: Scales) -> Markup:
    """A name beside each point, moved until it covers no point, no earlier name, and not the router's line."""
    points = [plane.usual, *plane.marks, *plane.models]
    taken = [(scales.x(p.usd) - _POINT, scales.y(p.score) + _BELOW, 2.0 * _POINT) for p in points]
    taken += [(scales.x(p.usd) - 2.0, scales.y(p.score) + _BELOW, 4.0) for p in _pieces(plane.learned)]
    parts = [_name(plane.router, plane.usual, scales, taken, "told")]
    parts += [_name(m.name, m, scales, taken, "compared") for m in plane.marks]
    parts += [_name(m.name, m, scales, taken, "") for m in sorted(plane.models, key=lambda m: -m.score)]
    return join(*parts)


def _name(name: str, place: PlotPoint, scales: Scales, taken: list[Label], class_: str) -> Markup:
    x, y = scales.x(place.usd), scales.y(place.score)
    text = clipped(name, WIDTH - _LEFT - 4.0)
    long = CHARACTER * len(text)
    free = (at for at in _around(x, y, long) if _inside(at, long) and is_clear(*at, long, taken))
    left, base = next(free, (x + _ASIDE, y + _BELOW))
    taken.append((left, base, long))
    far = abs(base - y - _BELOW) > 1.5 * _LINE
    near = left - 2.0 if left > x else left + long + 2.0
    return join(rule(x, y, near, base - _BELOW, "leader") if far else Markup(""), words(left, base, text, class_))


def _around(x: float, y: float, long: float) -> Iterable[tuple[float, float]]:
    """Positions for a name (its left end, its baseline), nearest first: right and left, ever farther up and down."""
    for i in range(12):
        for move in (-_LINE * i, _LINE * i) if i else (0.0,):
            yield x + _ASIDE, y + _BELOW + move
            yield x - _ASIDE - long, y + _BELOW + move


def _inside(at: tuple[float, float], long: float) -> bool:
    return at[0] > _LEFT and at[0] + long < WIDTH - 4.0 and _TOP - 4.0 < at[1] < _TOP + _HIGH - 4.0
