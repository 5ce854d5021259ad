"""Settings of `adaptive` for who has to keep 0.95 of the strongest model's success, and soon, from the log alone.

A part of what may be learned from is held back. What was learned of the rest says what each model would come to for
each of its requests, and every pair of settings is tried on these: which picks they lead to, what these scored, and how
long they took. Of the pairs that keep what is asked, also if chance was kind (twice the standard error less), the one
with the least P95 is taken. The questions that the table is made with have no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from benchmarks.approaches import schooling
from benchmarks.approaches.approach import Ground
from benchmarks.approaches.bounds import LATE, Choice, chosen_from
from benchmarks.approaches.foreseen import Foresight
from benchmarks.approaches.questions import Question
from benchmarks.approaches.workload import Workload
from benchmarks.quality_table import stem

ASKED, ERRORS = 0.95, 2.0
SHARES = (0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
SECONDS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
SEEDS, LENGTH_S, HELD = range(201, 204), 600.0, 0.3
_STEPS, _DEAREST = 30, 1e5


class Fit(NamedTuple):
    """`share`: the `quality_share`; `second`: `latency_weight`."""

    share: float
    second: float


class Trial(NamedTuple):
    """What a pair of settings came to: the mean score, of the strongest model's, with its error, and P95 in seconds."""

    fit: Fit
    success: float
    error: float
    p95_s: float


def prepared(ground: Ground) -> Fit:
    """Learn from the log, and work the settings out, unless it was done."""
    folder = ground.state.parent
    if not ground.state.exists():
        schooling.train(ground.workload, folder)
    if not ground.fit.exists():
        found = best(list(trials(_parted(ground.workload), folder)))
        ground.fit.write_text(json.dumps(found), encoding="utf-8")
    return Fit(*json.loads(ground.fit.read_text(encoding="utf-8")))


def best(tried: Sequence[Trial]) -> Fit:
    """The quickest that keeps what is asked; where none does, the one that keeps most."""
    enough = [trial for trial in tried if trial.success - ERRORS * trial.error >= ASKED]
    found = min(enough, key=lambda t: t.p95_s) if enough else max(tried, key=lambda t: t.success)
    return found.fit


def trials(half: Workload, folder: Path) -> Iterator[Trial]:
    """Each pair of settings on the part that was held back."""
    (folder / "half").mkdir(exist_ok=True)
    ground = Ground(half, "list", schooling.train(half, folder / "half"))
    strongest, foresees = ground.strongest(), Foresight(ground)
    asked = [each for seed in SEEDS for each in chosen_from(ground, seed, LENGTH_S, foresees=foresees)]
    single = [posed.question.answers[strongest].score for posed, _ in asked]
    for second in SECONDS:
        for share in SHARES:
            picks = at_share([choices for _, choices in asked], share, second)
            took = sorted(choice.took_s for choice in picks)
            success, error = compared([choice.score for choice in picks], single, len(half.held))
            yield Trial(Fit(share, second), success, error, took[ceil((1 - LATE) * len(took)) - 1])


def compared(own: Sequence[float], other: Sequence[float], distinct: int) -> tuple[float, float]:
    """The ratio of two means over the same requests, of which so many are distinct, and its standard error."""
    ratio = fmean(own) / fmean(other)
    return ratio, stdev(a - ratio * b for a, b in zip(own, other, strict=True)) / fmean(other) / sqrt(distinct)


def at_share(asked: Sequence[Sequence[Choice]], share: float, second: float) -> list[Choice]:
    """The picks at the highest price of a dollar at which the foreseen scores come to this share of the best."""
    low, high, needed = 0.0, _DEAREST, share * sum(max(c.foreseen.score for c in each) for each in asked)
    for _ in range(_STEPS):
        price = (low + high) / 2
        picks = _picked(asked, price, second)
        enough = sum(choice.foreseen.score for choice in picks) >= needed
        low, high = (price, high) if enough else (low, price)
    return _picked(asked, low, second)


def _picked(asked: Sequence[Sequence[Choice]], price: float, second: float) -> list[Choice]:
    def worth(choice: Choice) -> float:
        seen = choice.foreseen
        return seen.score - price * seen.usd - second * seen.seconds

    return [max(each, key=worth) for each in asked]


def _parted(workload: Workload) -> Workload:
    """The part to learn from, cut in two by the questions' stems."""
    held = [_drawn(question) < HELD for question in workload.learned]
    parts = [[q for q, h in zip(workload.learned, held, strict=True) if h is side] for side in (False, True)]
    return Workload(workload.mix, *parts)


def _drawn(question: Question) -> float:
    key = f"fit {stem(question.prompt)}".encode()
    return int(blake2b(key, digest_size=4).hexdigest(), 16) / 2**32
