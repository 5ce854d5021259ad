"""Cost and quality: each model if it had taken all, and where the policies of the log came out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from capability_router.amounts import money
from capability_router.drawing.markup import Markup, join
from capability_router.drawing.scales import Scales, decades, is_clear, score_marks
from capability_router.drawing.svg import CHARACTER, WIDTH, clipped, cross, dot, drawing, rule, words
from capability_router.report.charts.palette import Palette
from capability_router.report.data import ReportData
from capability_router.report.request_row import RequestRow

_LEAST = 20  # scored answers from which on a policy's mean score is a point of its own
_WHISKER = 1.96  # standard errors to each side: 95 %
_MOST = 12  # models that are drawn, those with the most requests


class ChartPoint(NamedTuple):
    """`kind`: model, policy, scored or shadow. USD per 1,000 requests; quality 0 to 1 and its standard error."""

    kind: str
    name: str
    usd: float
    quality: float
    requests: int
    error: float = 0.0


def points(traffic: ReportData) -> list[ChartPoint]:
    """All that can be placed: what has both a cost and a quality."""
    alone = sorted(traffic.alone.models.items(), key=lambda item: (-item[1].requests, item[0]))
    models = [
        ChartPoint("model", id, 1e-9 * each.cost_pico / each.requests, quality, each.requests)
        for id, each in alone if each.requests and (quality := each.mean_quality) is not None
    ][:_MOST]  # fmt: skip
    shadows = (
        ChartPoint("shadow", f"{name} (shadow)", 1e-9 * each.cost_pico / each.requests, quality, each.requests)
        for name, each in sorted(traffic.alone.shadows.items())
        if each.requests and (quality := each.mean_quality) is not None
    )
    return [*models, *_policies(traffic), *shadows]


def _policies(traffic: ReportData) -> Iterable[ChartPoint]:
    by_policy: dict[str, list[RequestRow]] = {}
    for row in traffic.requests:
        if row.model is not None and not row.unpriced:
            by_policy.setdefault(row.policy or "policy", []).append(row)
    for name, rows in sorted(by_policy.items()):
        predicted = [row for row in rows if row.quality is not None]
        if predicted:
            yield _policy("policy", name, predicted, [row.quality or 0.0 for row in predicted])
        scored = [row for row in rows if row.request_id in traffic.scores]
        if len(scored) >= _LEAST:
            yield _policy("scored", f"{name}, scored", scored, [traffic.scores[row.request_id] for row in scored])


def _policy(kind: str, name: str, rows: Sequence[RequestRow], values: Sequence[float]) -> ChartPoint:
    count, mean = len(values), math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(count - 1, 1)
    error = math.sqrt(spread / count) if kind == "scored" else 0.0
    return ChartPoint(kind, name, 1e-9 * sum(row.cost_pico for row in rows) / count, mean, count, error)


def told(point: ChartPoint) -> str:
    """A point in words."""
    cost = money(round(point.usd * 1e12))
    return f"{point.name}: quality {point.quality:.3f}, {cost} per 1,000 requests, of {point.requests:,} requests"


def _scales(every: Sequence[ChartPoint], wide: float) -> Scales:
    lows, highs = ([p.quality + side * _WHISKER * p.error for p in every] for side in (-1, 1))
    marks = score_marks(lows, highs, max(max(highs) - min(lows), 0.02))
    return Scales(58, wide - 20, 26, 286, *decades([p.usd for p in every], 0.15), marks)


def plane_chart(every: Sequence[ChartPoint], palette: Palette, wide: float) -> Markup:
    """Up and to the left is better. A name stands beside its point, where there is room."""
    scales, big = _scales(every, wide), wide == WIDTH
    shapes = [_shape(point, scales, palette, titled=big) for point in every]
    described = "; ".join(map(told, every))
    return drawing(
        334, "Cost and quality", described, _axes(scales), *shapes, _names(every, scales), wide=wide
    )  # fmt: skip


def _axes(scales: Scales) -> Markup:
    middle = (scales.left + scales.right) / 2
    across = [rule(scales.left, scales.y(v), scales.right, scales.y(v), "grid") for v in scales.marks]
    shares = [words(scales.left - 8, scales.y(v) + 4, f"{v:.3g}", "tick", "end") for v in scales.marks]
    costs = _costs(scales)
    up = [rule(scales.x(usd), scales.top, scales.x(usd), scales.bottom, "grid") for usd in costs]
    below = [words(scales.x(usd), scales.bottom + 16, f"${usd:,g}", "tick", "middle") for usd in costs]
    under = words(middle, scales.bottom + 36, "USD per 1,000 requests (logarithmic)", "tick", "middle")
    line = rule(scales.left, scales.bottom, scales.right, scales.bottom, "axis")
    above = words(4, 14, "quality", "tick")
    return join(above, *across, *up, line, *shares, *below, under)


def _costs(scales: Scales) -> list[float]:
    """Round values within, not too many."""
    low, high = scales.low, scales.high
    for steps, every in (((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 4)):
        powers = range(math.floor(low), math.ceil(high) + 1)
        found = [m * 10.0**p for p in powers if p % every == 0 for m in steps if low <= math.log10(m) + p <= high]
        if len(found) <= (scales.right - scales.left) / 60:
            return found
    return []


def _shape(point: ChartPoint, scales: Scales, palette: Palette, *, titled: bool) -> Markup:
    x, y, said = scales.x(point.usd), scales.y(point.quality), told(point) if titled else ""
    if point.kind == "model":
        return dot(x, y, 5.0, palette.of(point.name), said)
    if point.kind == "shadow":
        return cross(x, y, "mark", said)
    error = _WHISKER * point.error
    whisker = rule(x, scales.y(point.quality - error), x, scales.y(point.quality + error), "whisker")
    return join(whisker if error else "", dot(x, y, 6.5, "policy" if point.kind == "policy" else "policy open", said))


_OFFSETS = ((0, 0), (1, 0), (0, -1), (1, -1), (0, 1), (1, 1), (0, -2), (1, -2), (0, 2), (1, 2), (0, 3), (1, 3))


def _names(every: Sequence[ChartPoint], scales: Scales) -> Markup:
    """Beside each point, policies first: right or left of it, or some lines off, where nothing is yet."""
    taken = [(scales.x(p.usd) - 6.0, scales.y(p.quality) + 4.0, 12.0) for p in every]
    parts = []
    for point in sorted(every, key=lambda p: (p.kind == "model", -p.quality)):
        text = clipped(point.name, (scales.right - scales.left) / 2)
        long = CHARACTER * len(text) * (1.0 if point.kind == "model" else 1.15)
        for side, off in _OFFSETS:
            x = scales.x(point.usd) + (-11.0 - long if side else 11.0)
            y = scales.y(point.quality) + 4.0 + 13.0 * off
            if scales.left <= x and x + long <= scales.right and scales.top <= y < scales.bottom and is_clear(
                x, y, long, taken
            ):  # fmt: skip
                taken.append((x, y, long))
                parts.append(words(x, y, text, "" if point.kind == "model" else "told"))
                break
    return join(*parts)
