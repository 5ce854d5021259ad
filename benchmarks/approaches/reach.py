"""What `adaptive` could come to at most with what it foresees: its prices are chosen afterwards, on the very requests.

Each request goes to the model with the most foreseen score, less USD and lateness at prices that are one for all runs.
Outages are known, nobody waits, nobody has limits. Of all prices that keep a success the least P95 is told, and the
least cost: what other settings, or better ones, could not beat. Beside it the same with the lengths of answers known.
How far answers' lengths are from what was foreseen is seen in the log alone: learned of one part, seen in the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import ceil, erfc, exp, log, sqrt
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.approaches.approach import RunSetup
from benchmarks.approaches.bounds import LATE, NOTHING, Choice, ForeseenOutcome, chosen_from
from benchmarks.approaches.fitting import LENGTH_S, Matrix, learned, one_cut
from benchmarks.approaches.foreseen import PlanForecast
from benchmarks.approaches.sheet import RunSheet
from benchmarks.approaches.speeds import SPREAD
from benchmarks.approaches.verdict import COST_OF_RULES
from benchmarks.approaches.workload import PosedQuestion
from capability_router.health.latency import READING_S

SUCCESSES = (0.93, 0.94, 0.95, 0.96, 0.97, 0.98)
USD_PRICES = (0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 100.0, 150.0, 250.0, 400.0, 800.0)
LATE_PRICES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
"""Quality points for the chance of an answer that takes longer than these parts of the rules' P95."""
SECOND_PRICES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
LIMITS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
_NOBODY = 1e3


class ReachRow(NamedTuple):
    """What one set of prices came to: success of the single model's, cost and P95 of the rules'."""

    success: float
    cost: float
    p95: float


class LengthError(NamedTuple):
    """Of the logarithm of an answer's length, less that of what was foreseen: mean and standard deviation."""

    mean: float
    spread: float


Lengths = Mapping[tuple[str, str], LengthError]
"""By model and kind."""
_AS_FORESEEN = LengthError(0.0, 0.0)


class Writing(PlanForecast):
    """As the plan says, with the seconds of writing alone; the size of the input is known, as a tokenizer tells it."""

    def __init__(self, ground: RunSetup, lengths: Lengths) -> None:
        super().__init__(ground)
        self._lengths = lengths

    def __call__(self, posed: PosedQuestion) -> Mapping[str, ForeseenOutcome]:
        plan, found = self.plan(posed), {}
        for c in plan.candidates:
            provider, entered = self.providers[c.id], posed.question.answers[c.id].entered + posed.extra
            speed, (into, out) = provider.member.speed, provider.rates(entered)
            read = READING_S * plan.input_tokens  # a router to which nothing has come adds this, and the card's wait
            writing = max((c.latency_s or 0.0) - speed.ttft_s - read, 1e-3)
            usd = (entered * into + writing * speed.tokens_per_s * out) / 1e12
            mean, spread = self._lengths.get((c.id, posed.kind), _AS_FORESEEN)
            found[c.id] = ForeseenOutcome(c.quality or 0.0, usd, writing, writing * exp(mean), spread)
        return found


def lengths_of(ground: RunSetup) -> dict[tuple[str, str], LengthError]:
    """How far they are from what is foreseen, from the log alone."""
    (cut,) = one_cut(ground.workload)
    found: dict[tuple[str, str], list[float]] = {}
    with TemporaryDirectory() as folder:
        foresees = Writing(learned(cut, Path(folder) / "cut"), {})
    for posed in (each for seed in cut.seeds for each in cut.workload.posed(seed, LENGTH_S)):
        for model, seen in foresees(posed).items():
            took = posed.question.answers[model].written / foresees.providers[model].member.speed.tokens_per_s
            found.setdefault((model, posed.kind), []).append(log(max(took, 1e-3) / seen.seconds))
    return {of: LengthError(fmean(logs), stdev(logs)) for of, logs in found.items()}


class Run(NamedTuple):
    """One run's requests by models; `late`: the chance to be late, by limit. Beside it, what is divided by."""

    seen: Matrix
    score: Matrix
    usd: Matrix
    real_usd: Matrix
    seconds: Matrix
    took: Matrix
    late: Mapping[float, Matrix]
    single: float
    rules: RunSheet


def told(
    ground: RunSetup, seeds: Sequence[int], length_s: float, single: Sequence[RunSheet], rules: Sequence[RunSheet]
) -> Iterator[str]:  # fmt: skip
    """A table; the sheets are of these seeds."""
    lengths = lengths_of(ground)
    every = _choices(ground, seeds, length_s, lengths)
    yield f"Seeds {seeds[0]}-{seeds[-1]}; success is of the single model's, cost and P95 are of the rules'."
    low, high = (pick(lengths.values(), key=lambda each: each.spread).spread for pick in (min, max))
    yield f"The logarithm of a length is off by {low:.2f} to {high:.2f} (standard deviation), by model and kind."
    within = f"least P95 at {COST_OF_RULES:g} of the cost"
    yield f"\n| lengths | success | least P95 | its cost | {within} | least cost | its P95 |"
    yield "|---|---|---|---|---|---|---|"
    for known in (False, True):
        runs = [run_of(*each, known=known) for each in zip(every, single, rules, strict=True)]
        rows = list(tried(runs))
        for success in SUCCESSES:
            enough = [row for row in rows if row.success >= success]
            yield f"| {'known' if known else 'foreseen'} | {success:g} | {_line(enough)} |"


def reached(
    ground: RunSetup, seeds: Sequence[int], length_s: float, single: Sequence[RunSheet], rules: Sequence[RunSheet]
) -> list[ReachRow]:  # fmt: skip
    """What each set of prices came to, where lengths are foreseen; the sheets are of these seeds."""
    every = _choices(ground, seeds, length_s, lengths_of(ground))
    return list(tried([run_of(*each, known=False) for each in zip(every, single, rules, strict=True)]))


def _choices(ground: RunSetup, seeds: Sequence[int], length_s: float, lengths: Lengths) -> list[list[Sequence[Choice]]]:
    foresees = Writing(ground, lengths)
    return [[c for _, c in chosen_from(ground, seed, length_s, foresees=foresees)] for seed in seeds]


def _line(rows: Sequence[ReachRow]) -> str:
    if not rows:
        return "none | | none | none | "
    soon, cheap = min(rows, key=lambda r: r.p95), min(rows, key=lambda r: r.cost)
    within = min((row.p95 for row in rows if row.cost <= COST_OF_RULES), default=None)
    middle = "none" if within is None else f"{within:.3f}"
    return f"{soon.p95:.3f} | {soon.cost:.3f} | {middle} | {cheap.cost:.3f} | {cheap.p95:.3f}"


def run_of(choices: Sequence[Sequence[Choice]], single: RunSheet, rules: RunSheet, *, known: bool) -> Run:
    """`known`: answers' lengths, and so their costs, are known beforehand."""

    def table(of: int, missing: float) -> Matrix:
        most = max(map(len, choices))
        rows = [[*(_parts(choice)[of] for choice in each), *[missing] * (most - len(each))] for each in choices]
        return np.array(rows)

    seen, score, usd, real, first, writing, true, took, median, apart = (
        table(i, -_NOBODY if not i else _NOBODY) for i in range(10)
    )  # fmt: skip
    wrote, middle = (true, true) if known else (np.maximum(each, 1e-3) for each in (writing, median))
    spread = np.full_like(apart, SPREAD) if known else np.hypot(apart, SPREAD)
    late = {limit: _late(limit * rules.p95_s - first, middle, spread) for limit in LIMITS}
    return Run(seen, score, real if known else usd, real, first + wrote, took, late, single.success, rules)


def _parts(choice: Choice) -> tuple[float, ...]:
    seen = choice.foreseen
    if seen == NOTHING:  # the plan thought it too long for this model
        seen = ForeseenOutcome(0.0, choice.usd, choice.writing_s, choice.writing_s)
    first, wrote = choice.first_s + choice.reading_s, choice.writing_s
    real = choice.usd, first, seen.seconds, wrote, choice.took_s
    return seen.score, choice.score, seen.usd, *real, seen.median_s, seen.spread


def _late(left: Matrix, writing: Matrix, spread: Matrix) -> Matrix:
    normal = np.log(np.maximum(left, 1e-6) / writing) / spread
    return np.vectorize(lambda z: 0.5 * erfc(z / sqrt(2)))(normal)


def tried(runs: Sequence[Run]) -> Iterator[ReachRow]:
    """What each set of prices came to."""
    for price in USD_PRICES:
        for limit, each in product(LIMITS, LATE_PRICES):
            yield _came_to(runs, [run.seen - price * run.usd - each * run.late[limit] for run in runs])
        for second in SECOND_PRICES:
            yield _came_to(runs, [run.seen - price * run.usd - second * run.seconds for run in runs])


def _came_to(runs: Sequence[Run], worth: Sequence[Matrix]) -> ReachRow:
    found = [_one(run, each) for run, each in zip(runs, worth, strict=True)]
    success, cost, p95 = (float(np.mean([row[i] for row in found])) for i in range(3))
    return ReachRow(success, cost, p95)


def _one(run: Run, worth: Matrix) -> ReachRow:
    at = worth.argmax(1)[:, None]
    score, usd, took = (np.take_along_axis(each, at, 1)[:, 0] for each in (run.score, run.real_usd, run.took))
    slow = np.sort(took)[ceil((1 - LATE) * len(took)) - 1]
    rules = run.rules
    return ReachRow(score.mean() / run.single, usd.mean() / rules.usd_per_request, slow / rules.p95_s)
