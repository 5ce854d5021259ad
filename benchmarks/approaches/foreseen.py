"""What a policy could do that knows all but the scores, which it foresees as `adaptive` does.

Each request goes to the model that is least likely to be late, less what its foreseen score is worth. That worth is the
same for all, and the least at which the real scores come to what is asked: it is known beforehand, as are outages,
the lengths of answers, and the medians of speeds. Nobody waits, and nobody has limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.approaches import pretraining
from benchmarks.approaches.approach import RunSetup, unset
from benchmarks.approaches.bounds import LATE, Choice, ForeseenOutcome, chosen_from, lateness, least_s
from benchmarks.approaches.provider import RecordedProvider
from benchmarks.approaches.recorded_simulation import RecordedSimulation
from benchmarks.approaches.speeds import SPREAD
from benchmarks.approaches.workload import PosedQuestion
from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.routing import Routing

_STEPS, _DEAREST, _ROUNDED = 24, 100.0, 1e-9


def foreseen(ground: RunSetup, seed: int, length_s: float, wanted: float, *, calm: bool = False) -> float:
    """The least P95 in seconds of such a policy, in one run at this mean score."""
    with pretraining.read_once():
        asked = list(chosen_from(ground, seed, length_s, calm=calm, foresees=PlanForecast(ground)))
    return foreseen_p95([choices for _, choices in asked], wanted, SPREAD)


class PlanForecast:
    """What the router's plan says of each model for a request."""

    def __init__(self, ground: RunSetup) -> None:
        providers = [RecordedProvider(member, [], 0) for member in ground.members(ground.workload.models)]
        self.providers = {provider.name: provider for provider in providers}
        self._router = RecordedSimulation(providers, 0, policy=unset(ground).policy).router

    def plan(self, posed: PosedQuestion) -> Plan:
        """Of a router to which nothing has come yet."""
        return self._router.explain(Request((posed.text,), stream=True, routing=Routing(tags=(posed.kind,))))

    def __call__(self, posed: PosedQuestion) -> Mapping[str, ForeseenOutcome]:
        plan = self.plan(posed)
        return {c.id: ForeseenOutcome(c.quality or 0.0, c.cost_usd or 0.0, c.latency_s or 0.0) for c in plan.candidates}


def foreseen_p95(choices: Sequence[Sequence[Choice]], wanted: float, spread: float) -> float:
    """In which 95 % are answered so that the mean score is as wanted; infinity where no such policy has it."""
    late, most, points = lateness(spread), LATE * len(choices), wanted * len(choices) - _ROUNDED

    def able(seconds: float) -> bool:
        table = [[(late(choice, seconds), choice) for choice in each] for each in choices]
        return _late_share(table, points) <= most

    return least_s(able, steps=12)


def _late_share(table: Sequence[Sequence[tuple[float, Choice]]], points: float) -> float:
    """How many are late at the least worth of a point at which the scores come to so many."""
    low, high = 0.0, _DEAREST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _picked(table, middle)[0] >= points else (middle, high)
    reached, late = _picked(table, high)
    return late if reached >= points else float("inf")


def _picked(table: Sequence[Sequence[tuple[float, Choice]]], worth: float) -> tuple[float, float]:
    """(points, how many are late)."""
    picks = [min(each, key=lambda pair: pair[0] - worth * pair[1].foreseen.score) for each in table]
    return sum(choice.score for _, choice in picks), sum(chance for chance, _ in picks)
