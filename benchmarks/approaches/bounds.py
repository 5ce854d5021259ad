"""What no policy could do better than, on the same requests: every score is known, every outage, and nobody has limits.

A model answers what comes while it is not away: who would wait for its return could be cheaper, and slower. `usd` and
`p95_s` keep the success that is asked for; `p95_s` knows every speed that will be drawn, `unseen_s` only the medians
around which they are, and keeps no success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import erfc, exp, inf, log, sqrt
from random import Random
from typing import NamedTuple

from benchmarks.approaches.approach import RunSetup
from benchmarks.approaches.provider import RecordedProvider, outages
from benchmarks.approaches.questions import READ
from benchmarks.approaches.speeds import PREFILL_PER_S, SPREAD
from benchmarks.approaches.workload import PosedQuestion

LATE = 0.05
"""The share of requests that may take longer than the 95th percentile."""
_STEPS, _NODES = 40, 25
_HALVES = [(number + 0.5) / _NODES for number in range(_NODES)]


class ForeseenOutcome(NamedTuple):
    """A score, USD, and seconds to the end.

    `median_s`, `spread`: of writing alone, the median and the standard deviation of the logarithm, where that is known.
    """

    score: float
    usd: float
    seconds: float
    median_s: float = 0.0
    spread: float = 0.0


NOTHING = ForeseenOutcome(0.0, 0.0, 0.0)


class Choice(NamedTuple):
    """One model for one request: USD, score, seconds as they will be drawn, median seconds to begin and to write.

    `reading`: seconds of the first ones that do not vary; `foreseen`: what a policy expects of it.
    """

    usd: float
    score: float
    took_s: float
    first_s: float
    writing_s: float
    reading_s: float
    foreseen: ForeseenOutcome = NOTHING


class Bounds(NamedTuple):
    """USD per request, and seconds. `long_usd`, `long_s`: where all but documents costs nothing, and takes no time."""

    usd: float
    p95_s: float
    unseen_s: float
    long_usd: float
    long_s: float


Foresees = Callable[[PosedQuestion], Mapping[str, ForeseenOutcome]]
"""What is expected of each model; of one that is not named: nothing."""


def _blindly(_: PosedQuestion) -> Mapping[str, ForeseenOutcome]:
    return {}


def bounds(ground: RunSetup, seed: int, length_s: float, wanted: float, *, calm: bool = False) -> Bounds:
    """Of one run; `wanted`: the mean score. `calm`: nobody is away."""
    found = list(chosen_from(ground, seed, length_s, calm=calm))
    choices, long = [each for _, each in found], [each for posed, each in found if posed.kind == READ]
    count, points = len(choices), wanted * len(choices)
    usd, p95, unseen = least_usd(choices, points) / count, least_p95(choices, points), unseen_p95(choices, SPREAD)
    return Bounds(usd, p95, unseen, cheapest_usd(long) / count, quickest_s(long, int(LATE * count)))


def chosen_from(
    ground: RunSetup, seed: int, length_s: float, *, calm: bool = False, foresees: Foresees = _blindly
) -> Iterator[tuple[PosedQuestion, list[Choice]]]:  # fmt: skip
    """Each request with the models that may answer it, if there are any."""
    away = [] if calm else outages(ground.workload.models, seed, length_s)
    members = ground.members(ground.workload.models)
    providers = [RecordedProvider(m, [o for o in away if o.model == m.name], seed) for m in members]
    for number, posed in enumerate(ground.workload.posed(seed, length_s)):
        if choices := _choices(providers, posed, number, foresees(posed)):
            yield posed, choices


def _choices(
    providers: Sequence[RecordedProvider], posed: PosedQuestion, number: int, seen: Mapping[str, ForeseenOutcome]
) -> list[Choice]:  # fmt: skip
    """Of the models that hold the request and are there."""
    found = []
    for provider in providers:
        answer, speed = posed.question.answers[provider.name], provider.member.speed
        entered, written = answer.entered + posed.extra, answer.written
        if entered + written <= provider.member.window and provider.weather(posed.at) == "fair":
            into, out = provider.rates(entered)
            usd = (entered * into + written * out) / 1e12
            first, writing, reading = speed.ttft_s, written / speed.tokens_per_s, entered / PREFILL_PER_S
            chance = Random(f"{provider.seed} {provider.name} {number} 1")
            took = first * exp(provider.spread * chance.gauss(0.0, 1.0)) + reading
            took += writing * exp(provider.spread * chance.gauss(0.0, 1.0))
            foreseen = seen.get(provider.name, NOTHING)
            found.append(Choice(usd, answer.score, took, first, writing, reading, foreseen))
    return found


def cheapest_usd(choices: Sequence[Sequence[Choice]]) -> float:
    """What these cost in all where nobody asks for quality."""
    return sum(min(choice.usd for choice in each) for each in choices)


def quickest_s(choices: Sequence[Sequence[Choice]], late: int) -> float:
    """In what time all but so many of these can be answered; 0.0 = there are no more."""
    took = sorted((min(choice.took_s for choice in each) for each in choices), reverse=True)
    return took[late] if late < len(took) else 0.0


def least_usd(choices: Sequence[Sequence[Choice]], points: float) -> float:
    """The dual of the least cost at which the scores come to so many points: no choice costs less."""

    def dual(price: float) -> float:
        return price * points + sum(min(c.usd - price * c.score for c in each) for each in choices)

    low, high = 0.0, 10.0
    for _ in range(_STEPS):  # it is concave in the price of a point
        one, two = low + (high - low) / 3, high - (high - low) / 3
        low, high = (one, high) if dual(one) < dual(two) else (low, two)
    return max(dual(low), dual(0.0))


def least_p95(choices: Sequence[Sequence[Choice]], points: float) -> float:
    """The least time in which 95 % can be answered so that the scores come to so many points."""

    def able(seconds: float) -> bool:
        losses, reached = [], 0.0
        for each in choices:
            best = max(c.score for c in each)
            soon = max((c.score for c in each if c.took_s <= seconds), default=-inf)
            reached += best
            losses.append(best - soon)
        losses.sort(reverse=True)
        return reached - sum(losses[int(LATE * len(choices)) :]) >= points

    return least_s(able)


def unseen_p95(choices: Sequence[Sequence[Choice]], spread: float) -> float:
    """The same where the draws are not known: each request goes to the model that is least likely to be late."""
    late = lateness(spread)

    def able(seconds: float) -> bool:
        return sum(min(late(c, seconds) for c in each) for each in choices) <= LATE * len(choices)

    return least_s(able, steps=12)


def lateness(spread: float) -> Callable[[Choice, float], float]:
    """The chance that a choice takes longer than so many seconds."""
    factors = [exp(spread * _normal(share)) for share in _HALVES]

    def late(choice: Choice, seconds: float) -> float:
        total = 0.0
        for factor in factors:
            left = seconds - choice.reading_s - choice.first_s * factor
            total += 1.0 if left <= 0 else 0.5 * erfc(log(left / choice.writing_s) / spread / sqrt(2))
        return total / _NODES

    return late


def least_s(able: Callable[[float], bool], steps: int = 24) -> float:
    """The least number of seconds at which it can be done."""
    low, high = 0.0, 60.0
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if able(middle) else (middle, high)
    return high


def _normal(share: float) -> float:
    """The standard normal below which this share lies."""
    low, high = -8.0, 8.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * erfc(-middle / sqrt(2)) < share else (low, middle)
    return high
