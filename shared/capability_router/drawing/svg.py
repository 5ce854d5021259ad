"""Drawing in user units: a frame with two axes, round tick values, shapes with accessible titles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from capability_router.drawing.markup import Markup, element, join

WIDTH = 960.0
NARROW = 400.0  # of the drawing that a phone shows in the place of the wide one
CHARACTER = 6.6  # width of an average character of a chart's text, user units


def drawing(height: float, label: str, described: str, *parts: Markup, wide: float = WIDTH) -> Markup:
    """An SVG with `label` and `described` for screen readers; for large screens, or for small ones if it is narrow."""
    return element(
        "svg", element("title", label), element("desc", described), *parts, viewBox=f"0 0 {wide:g} {height:g}",
        role="img", aria_label=label, class_="chart wide" if wide == WIDTH else "chart narrow",
    )  # fmt: skip


def bar(x: float, y: float, width: float, height: float, class_: str, told: str = "") -> Markup:
    """A rectangle; `told` appears on hover."""
    title = element("title", told) if told else ""  # none in a narrow drawing: nothing points at it
    return element("rect", title, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_)


def words(x: float, y: float, content: str, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text; `anchor` is start, middle or end."""
    return element("text", content, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, told: str) -> Markup:
    """A point of a scatter."""
    return element("circle", element("title", told) if told else "", cx=x, cy=y, r=radius, class_=class_)


def cross(x: float, y: float, class_: str, told: str, arm: float = 4.0) -> Markup:
    """A diagonal cross: something failed here."""
    path = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:g} {2 * arm:g}m0 {-2 * arm:g}l{-2 * arm:g} {2 * arm:g}"
    return element("path", element("title", told) if told else "", d=path, class_=class_)


def clipped(content: str, room: float) -> str:
    """The text cut to this width in user units, with an ellipsis."""
    most = max(int(room / CHARACTER), 1)
    return content if len(content) <= most else content[: most - 1] + "…"


def ticks(most: float, about: int = 5) -> list[float]:
    """Round values from 0 to `most` or just beyond: steps of 1, 2 or 5 times a power of ten."""
    if not math.isfinite(most) or most <= 0:
        return [0.0, 1.0]
    raw = most / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    return [step * i for i in range(math.ceil(most / step - 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot area and its scales: x in seconds from `begin_s` to `end_s`, y from 0 to `most`."""

    left: float
    top: float
    width: float
    height: float
    end_s: float
    most: float
    begin_s: float = 0.0

    @property
    def bottom(self) -> float:
        """The y of the x axis."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.left + self.width

    def x(self, seconds: float) -> float:
        """The x of this time."""
        long = self.end_s - self.begin_s
        return self.left + self.width * min(max((seconds - self.begin_s) / long, 0.0), 1.0) if long else self.left

    def y(self, value: float) -> float:
        """The y of this value."""
        return self.bottom - self.height * min(max(value / self.most, 0.0), 1.0) if self.most else self.bottom


def time_axis(frame: Frame, spelt: Callable[[float], str] | None = None) -> Markup:
    """Ticks and grid lines along the bottom: times of the day or days, UTC, or as `spelt` formats them."""
    marks, step = clock_ticks(frame.begin_s, frame.end_s, max(int(frame.width / 95), 2))
    lines = [rule(frame.x(t), frame.top, frame.x(t), frame.bottom, "grid") for t in marks]
    labels = [_time_label(frame, t, spelt(t) if spelt else clock_label(t, step)) for t in marks]
    return join(*lines, rule(frame.left, frame.bottom, frame.right, frame.bottom, "axis"), *labels)


def _time_label(frame: Frame, at: float, text: str) -> Markup:
    """Centred under its tick, but kept within the ends of the axis."""
    x, half = frame.x(at), CHARACTER * len(text) / 2
    anchor = "start" if x - half < frame.left else "end" if x + half > frame.right else "middle"
    x = {"start": frame.left, "end": frame.right, "middle": x}[anchor]
    return words(x, frame.bottom + 16, text, "tick", anchor)


def value_axis(frame: Frame, marks: list[float], spelt: Callable[[float], str]) -> Markup:
    """Ticks and grid lines up the left side."""
    lines = [rule(frame.left, frame.y(v), frame.right, frame.y(v), "grid") for v in marks if v]
    labels = [words(frame.left - 8, frame.y(v) + 4, spelt(v), "tick", "end") for v in marks]
    return join(*lines, *labels)


_DAY = 86_400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, _DAY)


def clock_step(long_s: float, most: int) -> float:
    """The shortest round time, a fraction of a second up to days, of which at most this many fit into `long_s`."""
    if long_s <= most / 2:
        return ticks(long_s, max(most - 1, 1))[1]
    days = _DAY * math.ceil(long_s / most / _DAY)
    return float(next((s for s in _STEPS if long_s / s <= most), days))


def clock_ticks(begin_s: float, end_s: float, most: int = 8) -> tuple[list[float], float]:
    """Round clock times within the range, and their distance. Unix seconds."""
    step = clock_step(end_s - begin_s, most)
    first = math.ceil(begin_s / step - 1e-9)
    return [step * i for i in range(first, math.floor(end_s / step + 1e-9) + 1)], step


def clock_label(unix: float, step: float) -> str:
    """As much of a time as a distance of `step` seconds needs; the start of a day by its date. UTC."""
    at = datetime.fromtimestamp(round(unix, 3), UTC)
    if step >= 60 * _DAY:
        return f"{at:%Y-%m}"
    if step >= _DAY or (step >= 3_600 and at.hour == at.minute == 0):
        return f"{_MONTHS[at.month - 1]} {at.day}"
    if step < 1:
        digits = 1 if step >= 0.1 else 2 if step >= 0.01 else 3
        return f"{at:%H:%M:%S}.{at.microsecond // 10 ** (6 - digits):0{digits}d}"
    return f"{at:%H:%M}" if step >= 60 else f"{at:%H:%M:%S}"
