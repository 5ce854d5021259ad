"""Cost over time: a column per stretch of it, stacked by model, tenant or task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from capability_router.amounts import money, time_of
from capability_router.drawing.markup import Markup, join
from capability_router.drawing.svg import WIDTH, Frame, bar, clock_step, drawing, ticks, time_axis, value_axis
from capability_router.report.charts.palette import COLOURS, Palette
from capability_router.report.figures import leading, span, spent
from capability_router.report.request_row import RequestRow

Spending = Callable[[RequestRow], Iterable[tuple[str, int]]]
_COLUMNS = {True: 60, False: 24}  # at most, by whether the drawing is wide


def by_model(row: RequestRow) -> Iterable[tuple[str, int]]:
    """What each attempt cost, on its own model."""
    return ((each.model, each.cost_pico) for each in row.tries)


def by_tenant(row: RequestRow) -> Iterable[tuple[str, int]]:
    """What the request cost, on its tenant."""
    return ((row.tenant, row.cost_pico),)


def by_task(row: RequestRow) -> Iterable[tuple[str, int]]:
    """What the request cost, on its task."""
    return ((row.task, row.cost_pico),)


def names_of(rows: Sequence[RequestRow], key: Spending) -> list[str]:
    """The names that get a colour, the dearest first; the last may be "(others)"."""
    return list(leading(spent(rows, key, lambda _: 0), COLOURS))


def cost_chart(rows: Sequence[RequestRow], key: Spending, what: str, palette: Palette, wide: float) -> Markup:
    """Columns of money, in stretches of round length, at their time."""
    begin, end = span(rows)
    big = wide == WIDTH
    step = clock_step(end - begin, _COLUMNS[big])
    first = int(begin // step)
    found = leading(spent(rows, key, lambda at: int(at // step)), COLOURS)
    columns = int(end // step) - first + 1
    heights = sum(found.values(), Counter[int]())
    marks = ticks(max(heights.values(), default=0) / 1e12, 4)
    left = 76.0 if big else 62.0
    frame = Frame(left, 10, wide - left - 10, 180, (first + columns) * step, marks[-1], first * step)
    parts = _stacks(found, frame, step, palette, titled=big)
    dearest = ", ".join(f"{name or '(none)'} {money(own.total())}" for name, own in found.items())
    spelt = _in_usd(marks)
    return drawing(
        216, f"Cost by {what} over time", dearest, value_axis(frame, marks, spelt), time_axis(frame), parts, wide=wide
    )


def _in_usd(marks: Sequence[float]) -> Callable[[float], str]:
    """Ticks with the digits that their distance needs."""
    step = marks[1] if len(marks) > 1 else 1.0
    digits = next((n for n in range(13) if round(step, n) >= step * 0.999), 12)
    return lambda usd: f"${usd:,.{digits}f}" if digits < 8 else f"${usd:.1g}"


def _stacks(
    found: Mapping[str, Counter[int]], frame: Frame, step: float, palette: Palette, *, titled: bool
) -> Markup:  # fmt: skip
    parts: list[Markup] = []
    below = Counter[int]()
    for name, own in found.items():
        for place, pico in sorted(own.items()):
            if not pico:
                continue
            left, right = frame.x(place * step), frame.x((place + 1) * step)
            top, base = frame.y((below[place] + pico) / 1e12), frame.y(below[place] / 1e12)
            below[place] += pico
            label = f"{name or '(none)'}: {money(pico)} from {time_of(place * step)}" if titled else ""
            parts.append(bar(left + 0.5, top, max(right - left - 1.0, 0.8), base - top, palette.of(name), label))
    return join(*parts)
