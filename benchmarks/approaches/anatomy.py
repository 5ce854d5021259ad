"""Where the time and the money go: the slowest twentieth of the requests and the cost, by what was asked of whom.

And what `adaptive` would have come to if it had known its price of quality and the outages, with the same settings and
what it foresees of scores: what is between the two was lost while requests came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from statistics import fmean
from typing import NamedTuple

from benchmarks.approaches import fitting, pretraining
from benchmarks.approaches.approach import ADAPTIVE, CHEAPEST, RULES, UNSET, RunSetup, approaches, run
from benchmarks.approaches.bounds import LATE, Choice, chosen_from
from benchmarks.approaches.estimate import estimate
from benchmarks.approaches.foreseen import PlanForecast
from benchmarks.approaches.provider import Outage
from benchmarks.approaches.questions import READ
from benchmarks.approaches.sheet import RequestLine, sheet

LOOKED_AT = (RULES, ADAPTIVE, UNSET, CHEAPEST)
FAILED_OVER, LONG_INPUT, STRONG, OTHERS = "asked again", "document", "strongest's answer", "another's answer"
CAUSES = (LONG_INPUT, STRONG, OTHERS, FAILED_OVER)
FAIR, GONE, SHORT = "documents", "documents while the cheap model was away", "all else"
BACK = "documents sent elsewhere while it was there"
SPENDINGS = (FAIR, GONE, BACK, SHORT)


class RunBreakdown(NamedTuple):
    """Of one run. `tail`: of the slowest twentieth, the shares by cause; `usd`: per request, by what it was for."""

    tail: Mapping[str, float]
    usd: Mapping[str, float]


class RunTotals(NamedTuple):
    """What a run came to: the mean score, USD per request, P95 in seconds."""

    success: float
    usd: float
    p95_s: float


def anatomy(lines: Sequence[RequestLine], away: Sequence[Outage], strongest: str, cheap: str) -> RunBreakdown:
    """`away`: all outages of the run."""
    slow = sorted((line for line in lines if line.model is not None), key=lambda line: -line.took_s)
    slow = slow[: max(int(LATE * len(slow)), 1)]
    causes = Counter(_cause(line, strongest) for line in slow)
    gone = [outage for outage in away if outage.model == cheap]
    spent = Counter[str]()
    for line in lines:
        spent[_spending(line, gone, cheap)] += line.pico
    return RunBreakdown(
        {cause: causes[cause] / len(slow) for cause in CAUSES},
        {what: spent[what] / 1e12 / len(lines) for what in SPENDINGS},
    )


def _cause(line: RequestLine, strongest: str) -> str:
    if line.calls > 1:
        return FAILED_OVER
    if line.kind == READ:
        return LONG_INPUT
    return STRONG if line.model == strongest else OTHERS


def _spending(line: RequestLine, gone: Sequence[Outage], cheap: str) -> str:
    if line.kind != READ:
        return SHORT
    if any(outage.since <= line.at < outage.until for outage in gone):
        return GONE
    return FAIR if line.model == cheap else BACK


def looked_at(ground: RunSetup, seeds: range, length_s: float, *, calm: bool = False) -> Iterator[str]:
    """Three tables, the first two by approach."""
    fit, cheap = fitting.prepared(ground), _cheap(ground)
    with pretraining.read_once():
        every = [approach for approach in approaches(ground) if approach.name in LOOKED_AT]
        runs = {a.name: [run(ground, a, seed, length_s, calm=calm) for seed in seeds] for a in every}
        asked = [chosen_from(ground, s, length_s, calm=calm, foresees=PlanForecast(ground)) for s in seeds]
        known = [_known([choices for _, choices in each], fit) for each in asked]
    found = {name: [anatomy(*each, ground.strongest(), cheap) for each in own] for name, own in runs.items()}
    yield f"| of the slowest {LATE:.0%} | {' | '.join(CAUSES)} |"
    yield "|---|" + "---|" * len(CAUSES)
    for name, own in found.items():
        shares = [estimate([100 * each.tail[cause] for each in own]).told(".0f") for cause in CAUSES]
        yield f"| {name} | {' | '.join(f'{share} %' for share in shares)} |"
    yield f"\n| USD per 1k requests | {' | '.join(SPENDINGS)} |"
    yield "|---|" + "---|" * len(SPENDINGS)
    for name, own in found.items():
        usd = [estimate([1_000 * each.usd[what] for each in own]).told(".2f") for what in SPENDINGS]
        yield f"| {name} | {' | '.join(usd)} |"
    yield from _beside_known([_came(*each) for each in runs[ADAPTIVE]], known)


def _beside_known(own: Sequence[RunTotals], known: Sequence[RunTotals]) -> Iterator[str]:
    yield "\n| adaptive | success of answered | USD per 1k requests | P95, s |"
    yield "|---|---|---|---|"
    for name, came in (("as it is", own), ("price of quality and outages known", known)):
        parts = ((lambda c: c.success, ".3f"), (lambda c: 1_000 * c.usd, ".2f"), (lambda c: c.p95_s, ".2f"))
        yield f"| {name} | {' | '.join(estimate([of(each) for each in came]).told(form) for of, form in parts)} |"


def _came(lines: Sequence[RequestLine], away: Sequence[Outage]) -> RunTotals:
    whole = sheet(lines, away)
    return RunTotals(whole.success, whole.usd_per_request, whole.p95_s)


def _known(choices: Sequence[Sequence[Choice]], fit: fitting.Fit) -> RunTotals:
    """What the settings come to at one price of quality for all of the run, by who is there."""
    picks = fitting.at_share(fitting.asked_of(choices), *fit)
    own = [each[at] for each, at in zip(choices, picks, strict=True)]
    return RunTotals(fmean(c.score for c in own), fmean(c.usd for c in own), _percentile(sorted(c.took_s for c in own)))


def _percentile(ranked: Sequence[float]) -> float:
    return ranked[ceil((1 - LATE) * len(ranked)) - 1]


def _cheap(ground: RunSetup) -> str:
    """Whose input costs least: it is what documents cost by."""
    return min(ground.members(ground.workload.models), key=lambda member: member.price[0]).name
