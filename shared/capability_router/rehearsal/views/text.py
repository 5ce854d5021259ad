"""A rehearsal in text, for a terminal or a pipe: 80 columns are enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

from capability_router.amounts import count, money, offset, seconds, share
from capability_router.drawing.svg import clock_ticks
from capability_router.drawing.table import Table, folded, printable
from capability_router.rehearsal.episode import Episode
from capability_router.rehearsal.expectation import ExpectationResult
from capability_router.rehearsal.rehearsal import Rehearsal
from capability_router.rehearsal.result import WHYS
from capability_router.rehearsal.script.fault_schedule import ScheduledFault
from capability_router.rehearsal.summary import RunSummary, SuccessRate
from capability_router.rehearsal.views.timeline import TimelineLane, timeline
from capability_router.stats.percentile import percentile

USUAL, _WIDEST = 80, 132
_LABEL = 11
_BLOCKS = " ▁▂▃▄▅▆▇█"
_MARKS = {"open": "O", "half": "h", "limited": "L", "off": "X", "full": "F", "doubted": "d", "": "·"}
_MEANT = {
    "open": "breaker open", "half": "half open", "doubted": "doubted: others first", "limited": "rate limited",
    "full": "as many calls at once as it bears", "off": "key or model off",
}  # fmt: skip


def lines(found: Rehearsal, width: int | None) -> Iterator[str]:
    """All of it, in lines of at most `width`; None = of a pipe, where 80 are taken."""
    room = min(width or USUAL, _WIDEST)
    yield from folded(headline(found), room)
    yield from folded(f"{found.traffic.told}; policy {found.policy}, seed {found.seed}", room)
    for spell in found.spells:
        yield from ("", *folded(f"{spell.line.text}, {when_of(spell)}", room), *fault_impact(found, spell).lines(room))
    yield ""
    yield from _timeline(found, room)
    yield from ("", *figures(found).lines(room))
    yield from _lost(found, room)
    yield from _items("advice", _advised(found), room)
    yield from _items("notes", list(found.notes), room)
    yield from _items("expected", [expectation_text(each) for each in found.expected], room)


def headline(found: Rehearsal) -> str:
    """'router.yaml: 99.6 % of 730 requests over 150 s answered, 55.9 % by m alone'."""
    router, alone = found.router.whole, found.alone.whole
    return (
        f"{found.name}: {percent(router.success)} of {count(router.requests)} requests over "
        f"{seconds(found.traffic.seconds)} answered; {found.alone_model} alone: {percent(alone.success)}"
    )


def fault_impact(found: Rehearsal, spell: ScheduledFault) -> Table:
    """How each model fared that the fault was about."""
    table = Table("model", "failed", "left alone", "back", fold=(0,), right=(1,))
    for each in found.episodes:
        if each.fault == spell.number:
            table.add(
                each.model, f"{count(each.failed)} of {count(each.calls)}", avoidance_text(each), recovery_text(each)
            )
    return table


def when_of(spell: ScheduledFault) -> str:
    """'from 30 s to 90 s'."""
    until = "the end" if not isfinite(spell.until_s) else f"{spell.until_s:g} s"
    return f"from {spell.from_s:g} s to {until}"


def avoidance_text(each: Episode) -> str:
    """'after 0.3 s (breaker)'."""
    if each.how == "already":
        return "it was already"
    return f"after {seconds(each.left_s)} ({each.how})" if each.left_s is not None else "never" if each.failed else "–"


def recovery_text(each: Episode) -> str:
    """'2.6 s after it'; nothing of what was never left alone."""
    if each.left_s is None:
        return "–"
    if each.back_s is not None:
        return f"{seconds(each.back_s)} after it"
    return "fault not over" if not each.over else "not yet" if each.away else "not asked"


def figures(found: Rehearsal) -> Table:
    """The router under the faults and without them, and one model alone, side by side."""
    sums = (found.router, found.calm, found.alone)
    table = Table("", "router", "without faults", f"{found.alone_model} alone", right=(1, 2, 3), fold=(3,))
    for name, seen in FIGURES:
        table.add(name, *map(seen, sums))
    return table


FIGURES: Sequence[tuple[str, Callable[[RunSummary], str]]] = (
    ("answered", lambda s: percent(s.whole.success)),
    ("· in the faults' time", lambda s: _part(s.during)),
    ("· outside of it", lambda s: _part(s.outside)),
    ("half of the answers within", lambda s: seconds(s.latency_s(0.5))),
    ("95 % within", lambda s: seconds(s.latency_s(0.95))),
    ("· in the faults' time", lambda s: seconds(percentile(s.slow, 0.95))),
    ("longest request", lambda s: seconds(s.longest_s)),
    ("cost", lambda s: money(s.cost_pico)),
    ("answered by a fallback", lambda s: share(s.fallbacks, s.whole.requests)),
    ("calls, of which failed", lambda s: f"{count(s.calls)}, {count(s.failed_calls)}"),
)
"""What is compared."""


def percent(value: float | None) -> str:
    """Never rounded up to 100 %; "–" of nothing."""
    if value is None:
        return "–"
    return "100 %" if value == 1 else f"{min(100 * value, 99.99):.4g} %"


def _part(found: SuccessRate) -> str:
    return f"{percent(found.success)} of {count(found.requests)}" if found.requests else "–"


def expectation_text(each: ExpectationResult) -> str:
    """'success>=99.5%: 99.59 %, as expected'."""
    if each.seen is None:
        return f"{each.text}: nothing to measure it by"
    return f"{each.text}: {_SPELT[each.sort](each.seen)}, {'as expected' if each.met else 'NOT as expected'}"


def _time(value: float) -> str:
    return seconds(value) if isfinite(value) else "never"


_SPELT: Mapping[str, Callable[[float], str]] = {
    "share": percent, "time": _time, "money": lambda value: f"${value:.4f}", "count": lambda value: f"{value:,.0f}",
}  # fmt: skip


def _timeline(found: Rehearsal, room: int) -> Iterator[str]:
    columns = room - _LABEL
    line = timeline(found.run, found.spells, found.models, columns)
    length = found.run.seconds
    yield from _axis(length, columns)
    for lane in line.lanes:
        answered, failed = lane.calls
        yield from folded(printable(f"{lane.model}: {count(answered)} answered, {count(failed)} failed"), room)
        yield from _lane(lane, line.most)
    if any(line.lost):
        yield from folded(f"unanswered: {count(sum(line.lost))} requests", room)
        yield _row("lost", _heights(line.lost, line.most))
    seen = {state for lane in line.lanes for state in lane.states}
    keys = [f"{_MARKS[state]} {meant}" for state, meant in _MEANT.items() if state in seen]
    yield from folded(", ".join(["state: · in use", *keys, *["= a fault holds"] * bool(found.spells)]), room)


def _axis(length: float, columns: int) -> Iterator[str]:
    marks, names = [" "] * columns, [" "] * (columns + _LABEL)
    for tick in clock_ticks(0.0, length, 6)[0]:
        at = min(int(tick / length * columns), columns - 1)
        word = offset(tick)
        start = _LABEL + at
        if start + len(word) <= columns + _LABEL and not "".join(names[start - 1 : start + len(word)]).strip():
            names[start : start + len(word)] = word
        marks[at] = "|"
    yield "".join(names).rstrip()
    yield _row("", "".join(marks))


def _lane(lane: TimelineLane, most: int) -> Iterator[str]:
    if any(lane.faulty):
        yield _row("fault", "".join("=" if faulty else " " for faulty in lane.faulty))
    yield _row("answered", _heights(lane.answered, most))
    if any(lane.failed):
        yield _row("failed", _heights([faults.total() for faults in lane.failed], most))
    yield _row("state", "".join(_MARKS[state] for state in lane.states))


def _row(label: str, cells: str) -> str:
    return f"{'  ' + label if label else '':<{_LABEL}}{cells}".rstrip()


def _heights(counts: Sequence[int], most: int) -> str:
    """Nothing is blank, and one is seen."""
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-number * top // most)] for number in counts)


def _lost(found: Rehearsal, room: int) -> Iterator[str]:
    example = {row.why: row.detail for row in reversed(found.run.rows) if not row.model}
    reasons = [f"{count(n)}: {WHYS[why]}. {example[why]}" for why, n in found.router.whys.most_common()]
    yield from _items("not answered, with the first of each", reasons, room)


def _advised(found: Rehearsal) -> list[str]:
    return [" ".join(filter(None, (each.what, each.mend, each.tried))) for each in found.advice]


def _items(title: str, items: Sequence[str], room: int) -> Iterator[str]:
    if items:
        yield from ("", title)
    for item in items:
        first, *rest = folded(printable(item), room - 2)
        yield from (f"- {first}", *(f"  {line}" for line in rest))
