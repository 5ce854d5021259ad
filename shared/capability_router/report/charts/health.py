"""When each model was left alone: a lane per model, a bar per span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capability_router.amounts import time_of
from capability_router.drawing.markup import Markup, join
from capability_router.drawing.svg import WIDTH, Frame, bar, clipped, drawing, rule, time_axis, words
from capability_router.report.charts.requests import NAMES
from capability_router.report.unhealthy_spans import UnhealthySpan

_CLASSES = {"half open": "halfway"}
_MOST = 400  # spans that are drawn of one model


def breaker_chart(found: Mapping[str, Sequence[UnhealthySpan]], times: tuple[float, float], wide: float) -> Markup:
    """Red: no call was let through; amber: a probe was under way. Nothing drawn: all was well."""
    big = wide == WIDTH
    each, top, left = (34.0, 8.0, NAMES) if big else (46.0, 22.0, 4.0)
    begin, end = times
    height = top + each * len(found)
    frame = Frame(left, 0, wide - left - 20, height, end, 1.0, begin)
    lanes = (_lane(model, own, frame, top + each * i, big) for i, (model, own) in enumerate(found.items()))
    described = "; ".join(span_text(away) for own in found.values() for away in own[:10])
    return drawing(height + 24, "Breakers over time", described, time_axis(frame), *lanes, wide=wide)


def span_text(away: UnhealthySpan) -> str:
    """One span in words."""
    until = "the end of this log" if away.end_s is None else time_of(away.end_s)
    return f"{away.model} {away.state} from {time_of(away.start_s)} to {until}: {away.detail}"


def _lane(model: str, unhealthy_spans: Sequence[UnhealthySpan], frame: Frame, top: float, big: bool) -> Markup:
    name = (
        words(NAMES - 10, top + 15, clipped(model, NAMES - 14), "name", "end") if big
        else words(frame.left, top - 4, clipped(model, frame.width), "name")
    )  # fmt: skip
    bars = (_bar(away, frame, top, big) for away in unhealthy_spans[:_MOST])
    return join(name, rule(frame.left, top + 11, frame.right, top + 11, "axis"), *bars)


def _bar(away: UnhealthySpan, frame: Frame, top: float, big: bool) -> Markup:
    left = frame.x(away.start_s)
    right = frame.right if away.end_s is None else frame.x(away.end_s)
    title = span_text(away) if big else ""
    return bar(left, top + 2, max(right - left, 1.5), 18, _CLASSES.get(away.state, "bad"), title)
