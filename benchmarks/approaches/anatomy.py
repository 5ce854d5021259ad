"""Where the time and the money go: the slowest twentieth of the requests and the cost, by what was asked of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.approaches import fitting, schooling
from benchmarks.approaches.approach import ADAPTIVE, CHEAPEST, RULES, UNSET, Approach, Ground, approaches, run
from benchmarks.approaches.bounds import LATE
from benchmarks.approaches.estimate import estimate
from benchmarks.approaches.provider import Outage
from benchmarks.approaches.questions import READ
from benchmarks.approaches.sheet import Line

LOOKED_AT = (RULES, ADAPTIVE, UNSET, CHEAPEST)
FAILED_OVER, LONG_INPUT, STRONG, OTHERS = "asked again", "document", "strongest's answer", "another's answer"
CAUSES = (LONG_INPUT, STRONG, OTHERS, FAILED_OVER)
FAIR, GONE, SHORT = "documents", "documents while the cheap model was away", "all else"
SPENDINGS = (FAIR, GONE, SHORT)


class Anatomy(NamedTuple):
    """Of one run. `tail`: of the slowest twentieth, the shares by cause; `usd`: per request, by what it was for."""

    tail: Mapping[str, float]
    usd: Mapping[str, float]


def anatomy(lines: Sequence[Line], away: Sequence[Outage], strongest: str, cheap: str) -> Anatomy:
    """`away`: all outages of the run."""
    slow = sorted((line for line in lines if line.model is not None), key=lambda line: -line.took_s)
    slow = slow[: max(int(LATE * len(slow)), 1)]
    causes = Counter(_cause(line, strongest) for line in slow)
    gone = [outage for outage in away if outage.model == cheap]
    spent = Counter[str]()
    for line in lines:
        spent[_spending(line, gone)] += line.pico
    return Anatomy(
        {cause: causes[cause] / len(slow) for cause in CAUSES},
        {what: spent[what] / 1e12 / len(lines) for what in SPENDINGS},
    )


def _cause(line: Line, strongest: str) -> str:
    if line.calls > 1:
        return FAILED_OVER
    if line.kind == READ:
        return LONG_INPUT
    return STRONG if line.model == strongest else OTHERS


def _spending(line: Line, gone: Sequence[Outage]) -> str:
    if line.kind != READ:
        return SHORT
    return GONE if any(outage.since <= line.at < outage.until for outage in gone) else FAIR


def looked_at(ground: Ground, seeds: range, length_s: float, *, calm: bool = False) -> Iterator[str]:
    """Two tables, by approach."""
    fitting.prepared(ground)
    cheap = _cheap(ground)
    with schooling.read_once():
        every = [approach for approach in approaches(ground) if approach.name in LOOKED_AT]
        found = {a.name: [_of(ground, a, seed, length_s, cheap, calm=calm) for seed in seeds] for a in every}
    yield f"| of the slowest {LATE:.0%} | {' | '.join(CAUSES)} |"
    yield "|---|" + "---|" * len(CAUSES)
    for name, runs in found.items():
        shares = [estimate([100 * each.tail[cause] for each in runs]).told(".0f") for cause in CAUSES]
        yield f"| {name} | {' | '.join(f'{share} %' for share in shares)} |"
    yield f"\n| USD per 1k requests | {' | '.join(SPENDINGS)} |"
    yield "|---|" + "---|" * len(SPENDINGS)
    for name, runs in found.items():
        usd = [estimate([1_000 * each.usd[what] for each in runs]).told(".2f") for what in SPENDINGS]
        yield f"| {name} | {' | '.join(usd)} |"


def _of(ground: Ground, approach: Approach, seed: int, length_s: float, cheap: str, *, calm: bool) -> Anatomy:
    lines, away = run(ground, approach, seed, length_s, calm=calm)
    return anatomy(lines, away, ground.strongest(), cheap)


def _cheap(ground: Ground) -> str:
    """Whose input costs least: it is what documents cost by."""
    return min(ground.members(ground.workload.models), key=lambda member: member.price[0]).name
