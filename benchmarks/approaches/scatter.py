"""A picture of many runs, by the single model's: a row for each workload, cost and success, P95 and success (SVG)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.approaches.estimate import Estimate, estimate
from benchmarks.approaches.sheet import RunSheet
from capability_router.drawing.markup import Markup, element, join
from capability_router.drawing.svg import WIDTH, rule, words

_HIGH, _TOP, _GAP = 300.0, 112.0, 72.0
_WIDE = (WIDTH - 3 * _GAP) / 2
_LOW, _UP = 0.78, 1.08
_HALF = 5.0
"""Of a mark, from its middle."""
_COLOURS = (
    ("#8a5bb0", "#b892dc"), ("#1f8f5f", "#5cc79a"), ("#c23b63", "#f0839f"), ("#b0651a", "#e0a060"),
    ("#7b838d", "#a2abb5"), ("#2a78d6", "#5b9df0"), ("#2f9fae", "#6fd0dc"),
)  # fmt: skip
"""Of each approach, by day and by night."""


def _paint(by_night: int) -> str:
    pairs = ((f"c{i}", pair[by_night]) for i, pair in enumerate(_COLOURS))
    return "\n".join(
        f".{name} {{ fill: {colour}; stroke: {colour}; }} text.{name} {{ stroke: none; }}" for name, colour in pairs
    )


_STYLE = f"""
text {{ font: 12px system-ui, sans-serif; fill: #16191d; }} .title {{ font-size: 15px; font-weight: 650; }}
.quiet, .tick {{ fill: #59616b; font-size: 11px; }} .paper {{ fill: #fff; }} .grid {{ stroke: #e4e7eb; }}
.one {{ stroke: #59616b; stroke-dasharray: 4 3; }}
{_paint(0)}
.run {{ fill-opacity: .18; stroke: none; }} .reach {{ stroke-width: 1.5; }} .mean {{ stroke: #fff; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e9ecef; }} .quiet, .tick {{ fill: #a2abb5; }}
.paper {{ fill: #1b1e23; }} .grid {{ stroke: #2f353c; }} .one {{ stroke: #a2abb5; }}
{_paint(1)}
.mean {{ stroke: #1b1e23; }} }}
"""


class LogAxis(NamedTuple):
    """What is told from left to right, on a logarithmic scale: its ticks, of which the outer ones end it."""

    name: str
    figure: Callable[[RunSheet], float]
    ticks: tuple[float, ...]

    def x(self, ratio: float) -> float:
        least, most = self.ticks[0], self.ticks[-1]
        share = math.log(max(ratio, least) / least) / math.log(most / least)
        return round(_WIDE * min(share, 1.0), 1)


_ACROSS = (
    LogAxis("cost", lambda sheet: sheet.usd_per_request, (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)),
    LogAxis("P95", lambda sheet: sheet.p95_s, (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)),
)

Cells = Mapping[tuple[str, str], Mapping[str, Sequence[RunSheet]]]
Mark = Callable[[float, float, str], Markup]
"""A ladder's shape around a place, in a colour."""


def _circle(x: float, y: float, class_: str) -> Markup:
    return element("circle", cx=x, cy=y, r=_HALF, class_=class_)


def _square(x: float, y: float, class_: str) -> Markup:
    side = 1.8 * _HALF
    return element("rect", x=x - side / 2, y=y - side / 2, width=side, height=side, class_=class_)


def _triangle(x: float, y: float, class_: str) -> Markup:
    far = 1.2 * _HALF
    return element(
        "polygon", points=f"{x:g},{y - far:g} {x - far:g},{y + far:g} {x + far:g},{y + far:g}", class_=class_
    )


_MARKS: dict[str, Mark] = {"list": _circle, "narrow": _square, "wide": _triangle}


def drawn(cells: Cells, single: str, names: Sequence[str]) -> str:
    """All runs as points, the mean of each ladder of prices as a shape of its own, with its 95 % intervals."""
    workloads = list(dict.fromkeys(workload for workload, _ in cells))
    panels = [
        element("g", _panel(w, cells, single, names, across), transform=f"translate({_x0(column):g} {_y0(row):g})")
        for row, w in enumerate(workloads)
        for column, across in enumerate(_ACROSS)
    ]
    height = _y0(len(workloads))
    drawing = element(
        "svg", element("title", "Cost, P95 and success on several workloads"), element("style", Markup(_STYLE)),
        element("rect", width=WIDTH, height=height, class_="paper"), _legend(names), *panels,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {height:g}", width=f"{WIDTH:g}",
        height=f"{height:g}", role="img",
    )  # fmt: skip
    return f"{drawing}\n"


def _x0(column: int) -> float:
    return _GAP + column * (_WIDE + _GAP)


def _y0(row: int) -> float:
    return _TOP + row * (_HIGH + _GAP)


def _legend(names: Sequence[str]) -> Markup:
    """Two lines of approaches, one of prices, and how to read it."""
    parts = [words(_GAP + 205 * (i % 4), 20 + 20 * (i // 4), f"● {name}", f"c{i}") for i, name in enumerate(names)]
    for i, (ladder, mark) in enumerate(_MARKS.items()):
        x = _GAP + 5 + 130 * i
        parts += [mark(x, 56, "quiet"), words(x + 10, 60, f"{ladder} prices", "quiet")]
    note = "Shapes are means with 95 % intervals, small points are runs. Dashed: the single model; 0.95 of its success."
    edge = " What lies outside is on the edge."
    return join(*parts, words(_GAP, 80, note + edge, "quiet"))


def _panel(workload: str, cells: Cells, single: str, names: Sequence[str], across: LogAxis) -> Markup:
    points: list[Markup] = []
    means: list[Markup] = []
    for (of, ladder), by in cells.items():
        for i, name in enumerate(names if of == workload else ()):
            pairs = list(zip(by[name], by[single], strict=True))
            ratios = [across.figure(a) / across.figure(b) for a, b in pairs]
            scores = [a.success / b.success for a, b in pairs]
            both = zip(ratios, scores, strict=True)
            points += [element("circle", cx=across.x(x), cy=_y(y), r=2.0, class_=f"run c{i}") for x, y in both]
            means.append(_mean(across, estimate(ratios), estimate(scores), _MARKS[ladder], i))
    return join(words(0, -8, workload, "title"), *_axes(across), *points, *means)


def _mean(across: LogAxis, ratio: Estimate, score: Estimate, mark: Mark, colour: int) -> Markup:
    x, y = across.x(ratio.value), _y(score.value)
    return join(
        rule(across.x(ratio.value - ratio.reach), y, across.x(ratio.value + ratio.reach), y, f"reach c{colour}"),
        rule(x, _y(score.value - score.reach), x, _y(score.value + score.reach), f"reach c{colour}"),
        mark(x, y, f"mean c{colour}"),
    )


def _axes(across: LogAxis) -> list[Markup]:
    scores = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05)
    parts = [rule(across.x(c), 0, across.x(c), _HIGH, "one" if c == 1.0 else "grid") for c in across.ticks]
    parts += [words(across.x(c), _HIGH + 14, f"{c:g}", "tick", "middle") for c in across.ticks]
    parts += [rule(0, _y(s), _WIDE, _y(s), "one" if s in (0.95, 1.0) else "grid") for s in scores]
    parts += [words(-6, _y(s) + 4, f"{s:g}", "tick", "end") for s in scores]
    above = words(_WIDE, -8, "success of answered / single model's", "quiet", "end")
    below = f"{across.name} / single model's (logarithmic)"
    return [*parts, above, words(_WIDE, _HIGH + 30, below, "quiet", "end")]


def _y(ratio: float) -> float:
    return round(_HIGH * (1.0 - (min(max(ratio, _LOW), _UP) - _LOW) / (_UP - _LOW)), 1)
