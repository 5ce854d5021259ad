"""Settings of `adaptive` for who has to keep 0.95 of the strongest model's success, from the log alone.

A part of the log is held back. What was learned of the rest says what each model would come to for each of its
requests, and every pair of settings is tried on these: which picks they lead to, what these scored, what they cost, and
how long they took. The rule, set down before a request of the table was asked with it: of the pairs that keep what is
asked, also if chance was kind (twice the standard error less), the one with the least product of cost and P95, so that
a hundredth of either counts the same. The questions that the table is made with have no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil, inf, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.approaches import pretraining
from benchmarks.approaches.approach import RunSetup
from benchmarks.approaches.bounds import LATE, NOTHING, Choice, ForeseenOutcome, chosen_from
from benchmarks.approaches.foreseen import PlanForecast
from benchmarks.approaches.questions import Question
from benchmarks.approaches.workload import Workload
from benchmarks.quality_table import stem

ASKED, ERRORS = 0.95, 2.0
SHARES = tuple(round(0.91 + 0.005 * step, 3) for step in range(17))
SECONDS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
SEEDS, LENGTH_S, HELD = (201, 202, 203), 600.0, 0.3
_STEPS, _DEAREST = 30, 1e5
_NOT_ASKED = ForeseenOutcome(-inf, 0.0, 0.0)
Matrix = NDArray[np.float64]


class Fit(NamedTuple):
    """`share`: the `quality_share`; `second`: `latency_weight`."""

    share: float
    second: float


class Trial(NamedTuple):
    """What a pair of settings came to.

    The mean score, of the strongest model's, with its error; USD per request, and P95 in seconds.
    """

    fit: Fit
    success: float
    error: float
    usd: float
    p95_s: float


class HoldoutSplit(NamedTuple):
    """A part to learn from and what is held back of it, of which these runs are made."""

    workload: Workload
    seeds: Sequence[int]


class RequestMatrix(NamedTuple):
    """Requests by models. Foreseen score, USD and seconds; what they really were. Who can't answer is worth -inf."""

    seen: Matrix
    seen_usd: Matrix
    seen_s: Matrix
    score: Matrix
    usd: Matrix
    took_s: Matrix


def prepared(ground: RunSetup) -> Fit:
    """Learn from the log, and work the settings out, unless it was done."""
    folder = ground.state.parent
    if not ground.state.exists():
        pretraining.train(ground.workload, folder)
    if not ground.fit.exists():
        found = best(list(trials(ground, one_cut(ground.workload), folder)))
        ground.fit.write_text(json.dumps(found), encoding="utf-8")
    return Fit(*json.loads(ground.fit.read_text(encoding="utf-8")))


def best(tried: Sequence[Trial]) -> Fit:
    """The one with the least cost and P95 that keeps what is asked; where none does, the one that keeps most."""
    enough = [trial for trial in tried if trial.success - ERRORS * trial.error >= ASKED]
    found = min(enough, key=lambda t: t.usd * t.p95_s) if enough else max(tried, key=lambda t: t.success)
    return found.fit


def trials(ground: RunSetup, cuts: Sequence[HoldoutSplit], folder: Path) -> Iterator[Trial]:
    """Each pair of settings on the parts that were held back."""
    strongest, choices, single = ground.strongest(), list[Sequence[Choice]](), list[float]()
    for number, cut in enumerate(cuts):
        stands = learned(cut, folder / f"cut-{number}")
        foresees = PlanForecast(stands)
        for posed, each in (
            found for seed in cut.seeds for found in chosen_from(stands, seed, LENGTH_S, foresees=foresees)
        ):
            choices.append(each)
            single.append(posed.question.answers[strongest].score)
    asked, distinct = asked_of(choices), sum(len(cut.workload.held) for cut in cuts)
    for second in SECONDS:
        for share in SHARES:
            yield _trial(asked, Fit(share, second), single, distinct)


def learned(cut: HoldoutSplit, folder: Path) -> RunSetup:
    """Whose learned part has been learned from; the folder is the cut's own."""
    folder.mkdir(exist_ok=True)
    return RunSetup(cut.workload, "list", pretraining.train(cut.workload, folder))


def _trial(asked: RequestMatrix, fit: Fit, single: Sequence[float], distinct: int) -> Trial:
    picks = at_share(asked, *fit)
    score, usd, took = (_taken(each, picks) for each in (asked.score, asked.usd, asked.took_s))
    late = float(np.sort(took)[ceil((1 - LATE) * len(took)) - 1])
    return Trial(fit, *compared(score.tolist(), single, distinct), float(usd.mean()), late)


def compared(own: Sequence[float], other: Sequence[float], distinct: int) -> tuple[float, float]:
    """The ratio of two means over the same requests, of which so many are distinct, and its standard error."""
    ratio = fmean(own) / fmean(other)
    return ratio, stdev(a - ratio * b for a, b in zip(own, other, strict=True)) / fmean(other) / sqrt(distinct)


def asked_of(choices: Sequence[Sequence[Choice]]) -> RequestMatrix:
    """Of a model of which nothing is foreseen the plan thought that the request is too long for it: nobody asks it."""
    most = max(map(len, choices))

    def table(parts: Sequence[Sequence[tuple[float, ...]]], missing: tuple[float, ...]) -> list[Matrix]:
        rows = np.array([[*each, *[missing] * (most - len(each))] for each in parts])
        return [rows[:, :, at] for at in range(len(missing))]

    seen = [[(c.foreseen if c.foreseen != NOTHING else _NOT_ASKED)[:3] for c in each] for each in choices]
    real = [[(c.score, c.usd, c.took_s) for c in each] for each in choices]
    return RequestMatrix(*table(seen, _NOT_ASKED[:3]), *table(real, (0.0, 0.0, 0.0)))


def at_share(asked: RequestMatrix, share: float, second: float) -> NDArray[np.intp]:
    """The picks at the highest price of a dollar at which the foreseen scores come to this share of the best."""
    low, high, needed = 0.0, _DEAREST, share * asked.seen.max(1).sum()
    for _ in range(_STEPS):
        price = (low + high) / 2
        enough = _taken(asked.seen, _picked(asked, price, second)).sum() >= needed
        low, high = (price, high) if enough else (low, price)
    return _picked(asked, low, second)


def _picked(asked: RequestMatrix, price: float, second: float) -> NDArray[np.intp]:
    return (asked.seen - price * asked.seen_usd - second * asked.seen_s).argmax(1)


def _taken(each: Matrix, picks: NDArray[np.intp]) -> Matrix:
    return np.take_along_axis(each, picks[:, None], 1)[:, 0]


def one_cut(workload: Workload) -> list[HoldoutSplit]:
    """Less than a third is held back."""
    return [HoldoutSplit(_parted(workload), SEEDS)]


def _parted(workload: Workload) -> Workload:
    """The part to learn from, cut in two by the questions' stems."""
    held = [_drawn(question) < HELD for question in workload.learned]
    parts = [[q for q, h in zip(workload.learned, held, strict=True) if h is side] for side in (False, True)]
    return Workload(workload.mix, *parts)


def _drawn(question: Question) -> float:
    key = f"fit {stem(question.prompt)}".encode()
    return int(blake2b(key, digest_size=4).hexdigest(), 16) / 2**32
