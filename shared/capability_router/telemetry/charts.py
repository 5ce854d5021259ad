"""The charts of the report page, each from decisions: cost by model, latency, what each model did over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capability_router.telemetry.amounts import count, money, offset, seconds, share
from capability_router.telemetry.figures import Account, Decision, Incident, percentile, span_s
from capability_router.telemetry.markup import Markup, join
from capability_router.telemetry.svg import (
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

COLOURS = 7
_NAMES = 190.0  # room for model names, user units
_SLOTS = 120  # columns of a lane
_DOTS = 3_000  # more than these are thinned


class Palette:
    """A colour class per model, the same in every chart; models beyond the palette share a neutral one."""

    def __init__(self, models: Sequence[str]) -> None:
        self._classes = {model: f"s{i}" if i < COLOURS else "sx" for i, model in enumerate(models)}

    def of(self, model: str | None) -> str:
        """The class of a model; the neutral one for a stranger."""
        return self._classes.get(model or "", "sx")


def cost_chart(accounts: Mapping[str, Account], palette: Palette) -> Markup:
    """A horizontal bar per model: what it cost, failed attempts included."""
    whole = sum(a.cost_pico for a in accounts.values())
    most = max((a.cost_pico for a in accounts.values()), default=0) or 1
    room = WIDTH - _NAMES - 270
    parts: list[Markup] = []
    for i, (model, account) in enumerate(accounts.items()):
        y, told = 8.0 + 34 * i, f"{money(account.cost_pico)} · {share(account.cost_pico, whole)}"
        length = max(room * account.cost_pico / most, 2.0)
        parts += [
            words(_NAMES - 10, y + 17, clipped(model, _NAMES - 14), "name", "end"),
            bar(_NAMES, y + 2, length, 20, palette.of(model), f"{model}: {told}"),
            words(_NAMES + length + 8, y + 17, f"{told} · {_calls(account)}", "value"),
        ]
    described = "; ".join(f"{model} {money(a.cost_pico)} for {_calls(a)}" for model, a in accounts.items())
    return drawing(12.0 + 34 * max(len(accounts), 1), "Cost by model", described, *parts)


def _calls(account: Account) -> str:
    calls = f"{count(account.calls)} call" + ("" if account.calls == 1 else "s")
    return f"{calls}, {count(account.failed)} failed" if account.failed else calls


def latency_chart(rows: Sequence[Decision], found: Sequence[Incident], palette: Palette) -> Markup:
    """Each answered request at its start and with its latency; the 95th percentile as a line."""
    answered = [row for row in rows if row.model is not None]
    p95 = percentile([row.elapsed_s for row in answered], 0.95) or 0.0
    marks = ticks(max((row.elapsed_s for row in answered), default=1.0))
    frame = Frame(64, 14, WIDTH - 64 - 76, 236, span_s(rows), marks[-1])
    thin = max(1, -(-len(answered) // _DOTS))
    dots = [_latency_dot(row, frame, palette) for row in answered[::thin]]
    line = join(
        rule(frame.left, frame.y(p95), frame.right, frame.y(p95), "limit"),
        words(frame.right + 8, frame.y(p95) + 4, f"P95 {seconds(p95)}", "value"),
    )
    described = f"{count(len(answered))} answered requests; 95 % within {seconds(p95)}."
    return drawing(
        288, "Latency of each request over time", described, _bands(found, frame),
        value_axis(frame, marks, lambda v: f"{v:g} s"), time_axis(frame, offset), line, *dots,
    )  # fmt: skip


def _latency_dot(row: Decision, frame: Frame, palette: Palette) -> Markup:
    kind = f"ring {palette.of(row.model)}" if row.fallback else palette.of(row.model)
    told = f"{row.model}: {seconds(row.elapsed_s)} at {offset(row.start_s)}" + (", a fallback" if row.fallback else "")
    return dot(frame.x(row.start_s), frame.y(row.elapsed_s), 4.0, kind, told)


def _bands(found: Sequence[Incident], frame: Frame) -> Markup:
    return join(*(_band(incident, frame) for incident in found))


def _band(incident: Incident, frame: Frame) -> Markup:
    left = frame.x(incident.start_s)
    right = frame.right if incident.end_s is None else frame.x(incident.end_s)
    return bar(left, frame.top, max(right - left, 2.0), frame.height, "band", told_incident(incident))


def told_incident(incident: Incident) -> str:
    """One incident in words."""
    until = "the end of this log" if incident.end_s is None else offset(incident.end_s)
    faults = ", ".join(f"{n} × {fault}" for fault, n in incident.faults)
    return f"{incident.model} gave no answer from {offset(incident.start_s)} to {until}: {faults}"


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


_LANE, _FIRST, _HALF = 62.0, 18.0, 24.0


def attempts_chart(
    rows: Sequence[Decision], models: Sequence[str], found: Sequence[Incident], palette: Palette
) -> Markup:
    """A lane per model: answers above the line (those as a fallback hatched), failed attempts below it."""
    height = _FIRST + _LANE * max(len(models), 1)
    frame = Frame(_NAMES, _FIRST - 10, WIDTH - _NAMES - 20, height - _FIRST + 10, span_s(rows), 1.0)
    slots = _slots(rows, frame.end_s)
    most = max((max(s.up, s.down) for s in slots.values()), default=1) or 1
    lanes = []
    for i, model in enumerate(models):
        own = {at: slot for (name, at), slot in slots.items() if name == model}
        lane = Frame(frame.left, _FIRST + _LANE * i, frame.width, 2 * _HALF, frame.end_s, float(most))
        away = [incident for incident in found if incident.model == model]
        lanes.append(_lane(model, own, lane, away, palette))
    return drawing(
        height + 26, "Attempts of each model over time", _described(found), _hatch(), time_axis(frame, offset), *lanes
    )


def _described(found: Sequence[Incident]) -> str:
    return "; ".join(map(told_incident, found)) or "No model failed twice in a row."


def _hatch() -> Markup:
    return Markup(
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line x1="0" y1="0" x2="0" y2="5" class="hatching"/></pattern></defs>'
    )


def _slots(rows: Sequence[Decision], end_s: float) -> dict[tuple[str, int], _Slot]:
    slots: dict[tuple[str, int], _Slot] = {}
    for each in (t for row in rows for t in row.tries):
        at = min(int(_SLOTS * each.start_s / end_s), _SLOTS - 1)
        slot = slots.setdefault((each.model, at), _Slot())
        if each.fault is not None:
            slot.faults[each.fault] += 1
        elif each.fallback:
            slot.rescued += 1
        else:
            slot.answered += 1
    return slots


def _lane(
    model: str, slots: Mapping[int, _Slot], lane: Frame, away: Sequence[Incident], palette: Palette
) -> Markup:  # fmt: skip
    middle = lane.top + _HALF
    answers, failures = (count(sum(getattr(s, way) for s in slots.values())) for way in ("up", "down"))
    return join(
        _bands(away, lane),
        words(_NAMES - 10, middle - 3, clipped(model, _NAMES - 14), "name", "end"),
        words(_NAMES - 10, middle + 12, f"{answers} answered, {failures} failed", "tick", "end"),
        rule(lane.left, middle, lane.right, middle, "axis"),
        *(_column(model, at, slot, lane, palette) for at, slot in sorted(slots.items())),
        _labels(slots, lane),
    )  # fmt: skip


def _column(model: str, at: int, slot: _Slot, lane: Frame, palette: Palette) -> Markup:
    wide, middle = lane.width / _SLOTS, lane.top + _HALF
    unit = _HALF / lane.most
    x, own, rescued = lane.left + at * wide, slot.answered * unit, slot.rescued * unit
    when = offset(at * lane.end_s / _SLOTS)
    told = f"{model} at {when}: {slot.answered} answered, {slot.rescued} as a fallback"
    parts = [bar(x, middle - own, wide - 1, own, palette.of(model), told)] if slot.answered else []
    if slot.rescued:
        y = middle - own - rescued
        parts += [bar(x, y, wide - 1, rescued, palette.of(model), told), bar(x, y, wide - 1, rescued, "hatched", told)]
    if slot.down:
        faults = ", ".join(f"{n} × {fault}" for fault, n in slot.faults.most_common())
        failed, low = f"{model} at {when}: {faults}", middle + slot.down * unit
        parts.append(bar(x, middle, wide - 1, low - middle, "bad", failed))
        parts.append(cross(x + wide / 2 - 0.5, low + 5, "cross", failed, 2.5))
    return join(*parts)


def _labels(slots: Mapping[int, _Slot], lane: Frame) -> Markup:
    """The faults in words under their marks: one label per run of marks, none over another."""
    parts: list[Markup] = []
    free_from = lane.left
    for run in _clusters(sorted(at for at, slot in slots.items() if slot.down)):
        faults = sum((slots[at].faults for at in run), Counter[str]())
        label = ", ".join(f"{n} × {fault}" for fault, n in faults.most_common(2))
        x = lane.left + (run[-1] + 1) * lane.width / _SLOTS + 6
        if free_from <= x and x + len(label) * 6.2 <= lane.right:
            parts.append(words(x, lane.top + 2 * _HALF - 5, label, "fault"))
            free_from = x + len(label) * 6.2 + 12
    return join(*parts)


def _clusters(places: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for at in places:
        if runs and at - runs[-1][-1] <= 18:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs
