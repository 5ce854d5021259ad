"""The charts of a rehearsal's page: each model over time with the faults it was under, and latencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from capability_router.amounts import count, offset
from capability_router.drawing.markup import Markup, join
from capability_router.drawing.svg import WIDTH, Frame, bar, clipped, drawing, rule, time_axis, words
from capability_router.rehearsal.rehearsal import Rehearsal
from capability_router.rehearsal.result import RequestResult
from capability_router.rehearsal.script.fault_schedule import ScheduledFault
from capability_router.rehearsal.views.timeline import TimelineLane, timeline
from capability_router.report.charts.palette import Palette
from capability_router.report.charts.requests import latency_chart
from capability_router.report.figures import incidents
from capability_router.report.request_row import AttemptRow, RequestRow, Rivals
from capability_router.report.tables import chart

COLUMNS = 120
_NAMES, _HEIGHT, _FIRST, _HALF, _STRIP = 190.0, 78.0, 18.0, 26.0, 7.0
STATES = {
    "open": "breaker open", "half": "breaker half open", "doubted": "doubted: others first", "limited": "rate limited",
    "full": "as many calls at once as it bears", "off": "key or model off",
}  # fmt: skip


def timeline_chart(found: Rehearsal, palette: Palette) -> Markup:
    """A lane per model: answers above its line, failed calls below it, how it stood as a strip under both."""
    line = timeline(found.run, found.spells, found.models, COLUMNS)
    height = _FIRST + _HEIGHT * len(line.lanes)
    frame = Frame(_NAMES, _FIRST - 10, WIDTH - _NAMES - 40, height - _FIRST + 10, found.run.seconds, 1.0)
    lanes = []
    for i, lane in enumerate(line.lanes):
        place = Frame(frame.left, _FIRST + _HEIGHT * i, frame.width, 2 * _HALF, found.run.seconds, float(line.most))
        lanes.append(_lane(lane, place, found.spells, palette, line.seconds))
    described = "; ".join(f"{lane.model}: {lane.calls[0]} answered, {lane.calls[1]} failed" for lane in line.lanes)
    return drawing(height + 26, "Each model over time", described, time_axis(frame, offset), *lanes)


def _lane(
    lane: TimelineLane, frame: Frame, spells: Sequence[ScheduledFault], palette: Palette, seconds: float
) -> Markup:
    middle, (answered, failed) = frame.top + _HALF, lane.calls
    return join(
        *_bands(lane.model, frame, spells),
        words(_NAMES - 10, middle - 3, clipped(lane.model, _NAMES - 40), "name", "end"),
        words(_NAMES - 10, middle + 12, f"{count(answered)} answered, {count(failed)} failed", "tick", "end"),
        rule(frame.left, middle, frame.right, middle, "axis"),
        *_columns(lane, frame, palette, seconds), *_strip(lane, frame, seconds),
    )  # fmt: skip


def _bands(model: str, frame: Frame, spells: Sequence[ScheduledFault]) -> Iterator[Markup]:
    for spell in spells:
        if model in spell.models and spell.from_s < frame.end_s:
            left, right = frame.x(spell.from_s), frame.x(min(spell.until_s, frame.end_s))
            yield bar(left, frame.top, max(right - left, 2.0), frame.height + _STRIP, "spell", spell.line.text)


def _columns(lane: TimelineLane, frame: Frame, palette: Palette, seconds: float) -> Iterator[Markup]:
    wide, middle = frame.width / COLUMNS, frame.top + _HALF
    for i, (answered, faults) in enumerate(zip(lane.answered, lane.failed, strict=True)):
        x, when = frame.left + i * wide, offset(i * seconds)
        if answered:
            tall = _HALF * answered / frame.most
            yield bar(x, middle - tall, wide - 1, tall, palette.of(lane.model), f"{when}: {answered} answered")
        if faults:
            failures = ", ".join(f"{n} × {fault}" for fault, n in sorted(faults.items()))
            yield bar(x, middle, wide - 1, max(_HALF * faults.total() / frame.most, 2.0), "bad", f"{when}: {failures}")


def _strip(lane: TimelineLane, frame: Frame, seconds: float) -> Iterator[Markup]:
    """Stretches in which it was not simply in use."""
    at, wide = 0, frame.width / COLUMNS
    for state, stretch in groupby(lane.states):
        length = sum(1 for _ in stretch)
        if state:
            since, until = offset(at * seconds), offset((at + length) * seconds)
            title = f"{STATES[state]} from {since} to {until}"
            yield bar(frame.left + at * wide, frame.top + 2 * _HALF, length * wide, _STRIP, f"was-{state}", title)
        at += length


def latencies_chart(found: Rehearsal, palette: Palette) -> Markup:
    """Each answered request; shaded where a model gave no answer."""
    rows = [_decision(found, row) for row in found.run.rows]
    return chart(partial(latency_chart, rows, incidents(rows), palette, spelt=offset))


def _decision(found: Rehearsal, row: RequestResult) -> RequestRow:
    """As the report's charts take it."""
    first = row.tries[0].model if row.tries else ""
    tries = tuple(
        AttemptRow(t.model, t.start_s, t.end_s, None, t.fault or None, t.fault, 0, t.model != first) for t in row.tries
    )
    shape = row.shape
    return RequestRow(
        "", row.at, row.elapsed_s, row.model or None, row.fallback, row.why, found.policy, shape.tenant, shape.task,
        shape.chain, (), shape.input_tokens, shape.out, row.cost_pico or 0, row.cost_pico is None, tries, (), Rivals(),
        None,
    )  # fmt: skip
