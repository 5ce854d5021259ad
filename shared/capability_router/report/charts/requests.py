"""Charts over time of single requests and attempts: latency, and what each model did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from capability_router.amounts import count, seconds, time_of
from capability_router.drawing.markup import Markup, join
from capability_router.drawing.svg import (
    WIDTH,
    Frame,
    bar,
    clipped,
    cross,
    dot,
    drawing,
    rule,
    ticks,
    time_axis,
    value_axis,
    words,
)
from capability_router.report.charts.palette import Palette
from capability_router.report.figures import Incident, span
from capability_router.report.request_row import RequestRow
from capability_router.stats.percentile import percentile

NAMES = 190.0
"""Room for names on the left of a wide drawing; a narrow one has them above."""
_SLOTS = {True: 120, False: 48}  # columns of a lane, by whether the drawing is wide
_DOTS = {True: 2_000, False: 600}  # more than these are thinned, but for the slowest
_SLOWEST = 50
_CROSSES = 0.25  # of a lane's columns; where more have failures, crosses would be a pattern


def latency_chart(
    rows: Sequence[RequestRow], found: Sequence[Incident], palette: Palette, wide: float,
    spelt: Callable[[float], str] | None = None,
) -> Markup:  # fmt: skip
    """Each answered request at its start and with its latency; the 95th percentile as a line. `spelt`: its times."""
    answered, big = [row for row in rows if row.model is not None], wide == WIDTH
    p95 = percentile([row.elapsed_s for row in answered], 0.95) or 0.0
    marks = ticks(max((row.elapsed_s for row in answered), default=1.0))
    begin, end = span(rows)
    frame = Frame(64 if big else 54, 14, wide - (152 if big else 64), 236, end, marks[-1], begin)
    dots = (_latency_dot(row, frame, palette, big) for row in _thinned(answered, _DOTS[big]))
    line = rule(frame.left, frame.y(p95), frame.right, frame.y(p95), "limit")
    label = f"P95 {seconds(p95)}"
    said = words(frame.right + 8, frame.y(p95) + 4, label, "value")
    if not big:
        said = words(frame.right, frame.y(p95) - 5, label, "value", "end")
    described = f"{count(len(answered))} answered requests; 95 % within {seconds(p95)}."
    return drawing(
        278, "Latency of each request over time", described, _bands(found, frame, titled=big),
        value_axis(frame, marks, _seconds(marks[-1])), time_axis(frame, spelt), line, *dots, said, wide=wide,
    )  # fmt: skip


def _seconds(most: float) -> Callable[[float], str]:
    """How an axis up to `most` spells its ticks."""
    return (lambda v: f"{v * 1000:g} ms") if most < 1 else (lambda v: f"{v:g} s")


def _thinned(rows: Sequence[RequestRow], most: int) -> Sequence[RequestRow]:
    """Every so manieth, and the slowest."""
    every = max(1, -(-len(rows) // most))
    if every == 1:
        return rows
    slowest = {id(row) for row in sorted(rows, key=lambda row: -row.elapsed_s)[:_SLOWEST]}
    return [row for i, row in enumerate(rows) if i % every == 0 or id(row) in slowest]


def _latency_dot(row: RequestRow, frame: Frame, palette: Palette, big: bool) -> Markup:
    kind = f"ring {palette.of(row.model)}" if row.fallback else palette.of(row.model)
    fallback = ", a fallback" if row.fallback else ""
    title = f"{row.model}: {seconds(row.elapsed_s)} at {time_of(row.start_s)}{fallback}"
    return dot(frame.x(row.start_s), frame.y(row.elapsed_s), 4.0 if big else 3.0, kind, title if big else "")


def _bands(found: Iterable[Incident], frame: Frame, *, titled: bool) -> Markup:
    return join(*(_band(incident, frame, titled) for incident in found))


def _band(incident: Incident, frame: Frame, titled: bool) -> Markup:
    left = frame.x(incident.start_s)
    right = frame.right if incident.end_s is None else frame.x(incident.end_s)
    return bar(left, frame.top, max(right - left, 2.0), frame.height, "band", incident_text(incident) if titled else "")


def incident_text(incident: Incident) -> str:
    """One incident in words."""
    until = "the end of this log" if incident.end_s is None else time_of(incident.end_s)
    faults = ", ".join(f"{n:,} × {fault}" for fault, n in incident.faults)
    return f"{incident.model} gave no answer from {time_of(incident.start_s)} to {until}: {faults}"


@dataclass(slots=True)
class _Slot:
    answered: int = 0
    rescued: int = 0  # answered as the fallback of another model
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def up(self) -> int:
        return self.answered + self.rescued

    @property
    def down(self) -> int:
        return self.faults.total()


_FIRST, _HALF = 18.0, 24.0


def attempts_chart(
    rows: Sequence[RequestRow], models: Sequence[str], found: Sequence[Incident], palette: Palette, wide: float
) -> Markup:
    """A lane per model: answers above the line (those as a fallback hatched), failed attempts below it."""
    big = wide == WIDTH
    each = 62.0 if big else 86.0
    left, head = (NAMES, 0.0) if big else (4.0, 22.0)
    height, (begin, end) = _FIRST + each * max(len(models), 1), span(rows)
    frame = Frame(left, _FIRST - 10, wide - left - 20, height - _FIRST + 10, end, 1.0, begin)
    slots = _slots(rows, frame, _SLOTS[big])
    most = max((max(s.up, s.down) for own in slots.values() for s in own.values()), default=1) or 1
    lanes = []
    for i, model in enumerate(models):
        lane = Frame(left, _FIRST + head + each * i, frame.width, 2 * _HALF, end, float(most), begin)
        away = [incident for incident in found if incident.model == model]
        lanes.append(_lane(model, slots.get(model, {}), lane, away, palette, big))
    described = "; ".join(map(incident_text, found[:20])) or "No model failed twice in a row."
    return drawing(height + 26, "Attempts of each model over time", described, time_axis(frame), *lanes, wide=wide)


def _slots(rows: Sequence[RequestRow], frame: Frame, columns: int) -> dict[str, dict[int, _Slot]]:
    slots: dict[str, dict[int, _Slot]] = {}
    long = frame.end_s - frame.begin_s
    for each in (t for row in rows for t in row.tries):
        at = min(max(int(columns * (each.start_s - frame.begin_s) / long), 0), columns - 1)
        slot = slots.setdefault(each.model, {}).setdefault(at, _Slot())
        if each.fault is not None:
            slot.faults[each.fault] += 1
        elif each.fallback:
            slot.rescued += 1
        else:
            slot.answered += 1
    return slots


def _lane(
    model: str, slots: Mapping[int, _Slot], lane: Frame, away: Sequence[Incident], palette: Palette, big: bool
) -> Markup:  # fmt: skip
    middle = lane.top + _HALF
    answers, failures = (count(sum(getattr(s, way) for s in slots.values())) for way in ("up", "down"))
    figures = f"{answers} answered, {failures} failed"
    if big:
        names = join(
            words(NAMES - 10, middle - 3, clipped(model, NAMES - 14), "name", "end"),
            words(NAMES - 10, middle + 12, figures, "tick", "end"),
        )
    else:
        room = lane.width - 6.2 * len(figures)
        names = join(
            words(lane.left, lane.top - 4, clipped(model, room), "name"),
            words(lane.right, lane.top - 4, figures, "tick", "end"),
        )
    crossed = sum(slot.down > 0 for slot in slots.values()) <= _CROSSES * _SLOTS[big]
    columns = (_column(model, at, slot, lane, palette, crossed, big) for at, slot in sorted(slots.items()))
    line = rule(lane.left, middle, lane.right, middle, "axis")
    return join(_bands(away, lane, titled=big), names, line, *columns, _labels(slots, lane, _SLOTS[big]))


def _column(
    model: str, at: int, slot: _Slot, lane: Frame, palette: Palette, crossed: bool, big: bool
) -> Markup:  # fmt: skip
    wide, middle, unit = lane.width / _SLOTS[big], lane.top + _HALF, _HALF / lane.most
    x, own, rescued = lane.left + at * wide, slot.answered * unit, slot.rescued * unit
    when = time_of(lane.begin_s + at * (lane.end_s - lane.begin_s) / _SLOTS[big])
    title = f"{model} at {when}: {slot.answered:,} answered, {slot.rescued:,} as a fallback" if big else ""
    parts = [bar(x, middle - own, wide - 1, own, palette.of(model), title)] if slot.answered else []
    if slot.rescued:
        y = middle - own - rescued
        parts += [bar(x, y, wide - 1, rescued, class_, title) for class_ in (palette.of(model), "hatched")]
    if slot.down:
        faults = ", ".join(f"{n:,} × {fault}" for fault, n in slot.faults.most_common())
        failed, low = f"{model} at {when}: {faults}" if big else "", middle + max(slot.down * unit, 2.0)
        parts.append(bar(x, middle, wide - 1, low - middle, "bad", failed))
        parts += [cross(x + wide / 2 - 0.5, low + 5, "cross", failed, 2.5)] if crossed else []
    return join(*parts)


def _labels(slots: Mapping[int, _Slot], lane: Frame, columns: int) -> Markup:
    """The faults in words under their marks: one label per run of marks, none over another or over a mark."""
    parts: list[Markup] = []
    free_from, one = lane.left, lane.width / columns
    marks = sorted(at for at, slot in slots.items() if slot.down)
    for run, after in _clusters(marks, 18 * columns // 120):
        faults = sum((slots[at].faults for at in run), Counter[str]())
        label = ", ".join(f"{n:,} × {fault}" for fault, n in faults.most_common(2))
        x = lane.left + (run[-1] + 1) * one + 6
        room = lane.right if after is None else lane.left + after * one
        if free_from <= x and x + len(label) * 6.4 <= room:
            parts.append(words(x, lane.top + 2 * _HALF - 5, label, "fault"))
            free_from = x + len(label) * 6.4 + 12
    return join(*parts)


def _clusters(places: Sequence[int], near: int) -> list[tuple[list[int], int | None]]:
    """Runs of neighbours, each with the begin of the next."""
    runs: list[list[int]] = []
    for at in places:
        if runs and at - runs[-1][-1] <= near:
            runs[-1].append(at)
        else:
            runs.append([at])
    return [(run, runs[i + 1][0] if i + 1 < len(runs) else None) for i, run in enumerate(runs)]
