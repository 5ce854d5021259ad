"""A picture of many runs: a panel for each workload, cost against success, both by the single model's (SVG)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from benchmarks.approaches.sheet import Sheet
from capability_router.drawing.markup import Markup, element, join
from capability_router.drawing.svg import WIDTH, rule, words

_HIGH, _TOP, _GAP = 300.0, 60.0, 64.0
_WIDE = (WIDTH - 3 * _GAP) / 2
_LEAST, _MOST = 0.02, 2.0
_LOW, _UP = 0.7, 1.15
_LETTERS = {"list": "l", "narrow": "n", "wide": "w"}
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #16191d; } .title { font-size: 15px; font-weight: 650; }
.quiet, .tick { fill: #59616b; font-size: 11px; } .paper { fill: #fff; } .grid { stroke: #e4e7eb; }
.one { stroke: #59616b; stroke-dasharray: 4 3; } .c0 { fill: #b0651a; } .c1 { fill: #7b838d; } .c2 { fill: #2a78d6; }
.run { fill-opacity: .28; } .mean { font-weight: 700; font-size: 13px; }
@media (prefers-color-scheme: dark) { text { fill: #e9ecef; } .quiet, .tick { fill: #a2abb5; }
.paper { fill: #1b1e23; } .grid { stroke: #2f353c; } .one { stroke: #a2abb5; }
.c0 { fill: #e0a060; } .c1 { fill: #a2abb5; } .c2 { fill: #5b9df0; } }
"""

Cells = Mapping[tuple[str, str], Mapping[str, Sequence[Sheet]]]


def drawn(cells: Cells, single: str, names: Sequence[str]) -> str:
    """All runs as points, the mean of each ladder of prices as its first letter."""
    workloads = list(dict.fromkeys(workload for workload, _ in cells))
    panels = [
        element("g", _panel(w, cells, single, names), transform=f"translate({_x0(i):g} {_y0(i):g})")
        for i, w in enumerate(workloads)
    ]
    height = _y0(len(workloads) + 1) if len(workloads) % 2 else _y0(len(workloads))
    drawing = element(
        "svg", element("title", "Cost and success on several workloads"), element("style", Markup(_STYLE)),
        element("rect", width=WIDTH, height=height, class_="paper"), _legend(names), *panels,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {height:g}", width=f"{WIDTH:g}",
        height=f"{height:g}", role="img",
    )  # fmt: skip
    return f"{drawing}\n"


def _x0(at: int) -> float:
    return _GAP + (at % 2) * (_WIDE + _GAP)


def _y0(at: int) -> float:
    return _TOP + (at // 2) * (_HIGH + _GAP)


def _legend(names: Sequence[str]) -> Markup:
    parts = [words(_GAP + 150 * i, 20, f"● {name}", f"c{i}") for i, name in enumerate(names)]
    note = "A point is a run; a letter is the mean at list, narrow or wide prices. Dashed: the single model, and 95 %."
    return join(*parts, words(_GAP, 38, note, "quiet"))


def _panel(workload: str, cells: Cells, single: str, names: Sequence[str]) -> Markup:
    parts: list[Markup] = [words(4, 14, workload, "title"), *_axes()]
    for (of, ladder), by in cells.items():
        if of != workload:
            continue
        for i, name in enumerate(names):
            pairs = zip(by[name], by[single], strict=True)
            points = [(a.usd_per_request / b.usd_per_request, a.success / b.success) for a, b in pairs]
            parts += [element("circle", cx=_x(x), cy=_y(y), r=2.2, class_=f"run c{i}") for x, y in points]
            x, y = fmean(p[0] for p in points), fmean(p[1] for p in points)
            parts.append(words(_x(x), _y(y) + 4, _LETTERS.get(ladder, ladder), f"mean c{i}", "middle"))
    return join(*parts)


def _axes() -> list[Markup]:
    costs, scores = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0), (0.7, 0.8, 0.9, 1.0, 1.1)
    parts = [rule(_x(c), 0, _x(c), _HIGH, "one" if c == 1.0 else "grid") for c in costs]
    parts += [words(_x(c), _HIGH + 14, f"{c:g}", "tick", "middle") for c in costs]
    parts += [rule(0, _y(s), _WIDE, _y(s), "one" if s == 1.0 else "grid") for s in scores]
    parts += [rule(0, _y(0.95), _WIDE, _y(0.95), "one")]
    parts += [words(-6, _y(s) + 4, f"{s:g}", "tick", "end") for s in scores]
    return [*parts, words(_WIDE, _HIGH + 30, "cost / single model's", "quiet", "end")]


def _x(ratio: float) -> float:
    share = math.log(max(ratio, _LEAST) / _LEAST) / math.log(_MOST / _LEAST)
    return round(_WIDE * min(share, 1.0), 1)


def _y(ratio: float) -> float:
    return round(_HIGH * (1.0 - (min(max(ratio, _LOW), _UP) - _LOW) / (_UP - _LOW)), 1)
