"""Drawing on a plane of user units: a frame with two axes, round tick values, shapes with a spoken title."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from capability_router.telemetry.markup import Markup, element, join

WIDTH = 960.0
CHARACTER = 6.6  # width of an average character of a chart's text, user units


def drawing(height: float, label: str, described: str, *parts: Markup) -> Markup:
    """An SVG of the full width, read out as `label` and `described`."""
    return element(
        "svg", element("title", label), element("desc", described), *parts,
        viewBox=f"0 0 {WIDTH:g} {height:g}", role="img", aria_label=label, class_="chart",
    )  # fmt: skip


def bar(x: float, y: float, width: float, height: float, class_: str, told: str = "") -> Markup:
    """A rectangle; `told` appears when it is pointed at."""
    title = element("title", told) if told else ""
    return element("rect", title, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_)


def words(x: float, y: float, content: str, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text; `anchor` is start, middle or end."""
    return element("text", content, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, told: str) -> Markup:
    """A point of a scatter."""
    return element("circle", element("title", told), cx=x, cy=y, r=radius, class_=class_)


def cross(x: float, y: float, class_: str, told: str, arm: float = 4.0) -> Markup:
    """A diagonal cross: something failed here."""
    path = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:g} {2 * arm:g}m0 {-2 * arm:g}l{-2 * arm:g} {2 * arm:g}"
    return element("path", element("title", told), d=path, class_=class_)


def clipped(content: str, room: float) -> str:
    """The text cut to the room in user units, with an ellipsis."""
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
    """A plot area and its scales: x in seconds from 0 to `end_s`, y from 0 to `most`."""

    left: float
    top: float
    width: float
    height: float
    end_s: float
    most: float

    @property
    def bottom(self) -> float:
        """The y of the x axis."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.left + self.width

    def x(self, seconds: float) -> float:
        """Where this time stands."""
        return self.left + self.width * min(max(seconds / self.end_s, 0.0), 1.0) if self.end_s else self.left

    def y(self, value: float) -> float:
        """Where this value stands."""
        return self.bottom - self.height * min(max(value / self.most, 0.0), 1.0) if self.most else self.bottom


def time_axis(frame: Frame, spelt: Callable[[float], str]) -> Markup:
    """Ticks and grid lines along the bottom."""
    marks = [t for t in time_ticks(frame.end_s) if t <= frame.end_s * 1.0001]
    lines = [rule(frame.x(t), frame.top, frame.x(t), frame.bottom, "grid") for t in marks]
    labels = [words(frame.x(t), frame.bottom + 16, spelt(t), "tick", "middle") for t in marks]
    return join(*lines, rule(frame.left, frame.bottom, frame.right, frame.bottom, "axis"), *labels)


def value_axis(frame: Frame, marks: list[float], spelt: Callable[[float], str]) -> Markup:
    """Ticks and grid lines up the left side."""
    lines = [rule(frame.left, frame.y(v), frame.right, frame.y(v), "grid") for v in marks if v]
    labels = [words(frame.left - 8, frame.y(v) + 4, spelt(v), "tick", "end") for v in marks]
    return join(*lines, *labels)


_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)


def time_ticks(end_s: float, about: int = 8) -> list[float]:
    """Round times from 0 to `end_s`: whole seconds, minutes, hours, days."""
    if end_s <= about / 2:
        return ticks(end_s, about)
    days = 86_400.0 * math.ceil(end_s / about / 86_400)
    step = next((s for s in _STEPS if end_s / s <= about), days)
    return [float(step) * i for i in range(int(end_s / step) + 1)]
