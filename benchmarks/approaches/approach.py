"""The approaches that are compared: each a policy of the product, with settings from the other part alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.approaches.fleet_models import FleetModel, fleet
from benchmarks.approaches.provider import Outage, RecordedProvider, outages
from benchmarks.approaches.questions import CLASSIFY, GENERATE, READ
from benchmarks.approaches.recorded_simulation import RecordedSimulation
from benchmarks.approaches.sheet import RequestLine, RunSheet, sheet
from benchmarks.approaches.speeds import SPREAD
from benchmarks.approaches.workload import Workload

SINGLE, RULES, FITTED, ADAPTIVE = "single model", "rules", "rules, fitted", "adaptive"
FALLBACKS, CHEAPEST, FASTEST = "with_fallbacks order", "cheapest (LiteLLM's cost)", "fastest (LiteLLM's latency)"
GOOD_ENOUGH = 0.85
"""Of the strongest model's mean score: what the engineer who writes rules asks of the cheap model."""
AS_GOOD = 0.95
"""Of the best model's mean score of a kind: what is asked of a kind's model where rules are fitted to the log."""
UNSET = "adaptive, no settings"
NAMES = (SINGLE, FALLBACKS, CHEAPEST, FASTEST, RULES, FITTED, ADAPTIVE, UNSET)
UNLIMITED = 1_000_000
SETTINGS: Mapping[str, Any] = {
    "deadline_s": 120.0, "timeouts": {"first_token": 12.0},
    "retry": {"wait": {"random_exponential": {"multiplier": 0.5, "max": 8}}},
}  # fmt: skip
"""The same for all of them."""


class Approach(NamedTuple):
    """`models` in the order in which they are registered, which is that of fallbacks where the policy has none."""

    name: str
    models: Sequence[str]
    policy: Mapping[str, Any]


class RunSetup(NamedTuple):
    """What a run stands on. `state`: what was learned of the other part, by the product's own training."""

    workload: Workload
    ladder: str
    state: Path

    @property
    def fit(self) -> Path:
        """Where the settings are that were worked out for `adaptive`."""
        return self.state.with_name(f"{self.workload.mix.name}.fit.json")

    def strongest(self) -> str:
        """Of the part to learn from."""
        return self.by_strength()[0]

    def by_strength(self) -> list[str]:
        means = self.workload.means()
        return sorted(means, key=lambda model: -means[model][0])

    def members(self, models: Sequence[str]) -> list[FleetModel]:
        return fleet(list(models), self.strongest(), self.ladder)


def approaches(ground: RunSetup) -> Iterator[Approach]:
    """All of them, once the settings of `adaptive` are known; only `single model` has one model."""
    ranked = ground.by_strength()
    yield Approach(SINGLE, ranked[:1], {"name": "single"})
    yield Approach(FALLBACKS, ranked, {"name": "single"})
    yield Approach(CHEAPEST, ranked, {"name": "cheapest"})
    yield Approach(FASTEST, ranked, {"name": "fastest"})
    yield Approach(RULES, ranked, {"name": "rules", "rules": by_hand(ground)})
    yield Approach(FITTED, ranked, {"name": "rules", "rules": fitted(ground)})
    yield adaptive(ground, *json.loads(ground.fit.read_text(encoding="utf-8")))
    yield unset(ground)


def adaptive(ground: RunSetup, share: float, second: float) -> Approach:
    """With this `quality_share` and `latency_weight`: in the table those that the log speaks for (fitting.py)."""
    settings = {"quality_share": share, "latency_weight": second}
    return Approach(ADAPTIVE, ground.by_strength(), {**unset(ground).policy, **settings})


def unset(ground: RunSetup) -> Approach:
    """As it is without settings."""
    return Approach(UNSET, ground.by_strength(), {"name": "adaptive", "state": str(ground.state)})


def by_hand(ground: RunSetup) -> list[dict[str, Any]]:
    """Two models from a table of averages, the strongest and the cheapest that is good enough: the strong one writes

    mathematics and code, the cheap one does the rest.
    """
    strong, cheap = ground.strongest(), _cheapest(ground, "", GOOD_ENOUGH)
    return [
        {"when": {"tags": [READ]}, "then": [cheap, strong]},
        {"when": {"tags": [CLASSIFY]}, "then": [cheap, strong]},
        {"when": {"tags": [GENERATE], "task": ["math", "code"]}, "then": [strong]},
        {"when": {}, "then": [cheap, strong]},
    ]


def fitted(ground: RunSetup) -> list[dict[str, Any]]:
    """For each kind the cheapest model that was nearly as good as the best, by the log that `adaptive` learns from."""
    strong = ground.strongest()
    kinds = ground.workload.mix.shares
    return [{"when": {"tags": [k]}, "then": [_cheapest(ground, k, AS_GOOD), strong]} for k in kinds]


def _cheapest(ground: RunSetup, kind: str, part: float) -> str:
    means = ground.workload.means(kind)
    least = part * max(score for score, _, _ in means.values())
    prices = {member.name: member.price for member in ground.members(ground.workload.models)}

    def usd(model: str) -> float:
        _, entered, written = means[model]
        return entered * prices[model][0] + written * prices[model][1]

    return min((model for model, (score, _, _) in means.items() if score >= least), key=usd)


def run(
    ground: RunSetup, approach: Approach, seed: int, length_s: float, *, calm: bool = False, spread: float = SPREAD
) -> tuple[list[RequestLine], list[Outage]]:  # fmt: skip
    """One run in virtual time; the same seed has the same requests, outages and speeds, whoever decides.

    `calm`: nobody is away, and nobody has limits.
    """
    away = [] if calm else outages(ground.workload.models, seed, length_s)
    members = ground.members(approach.models)
    if calm:
        members = [member._replace(rpm=UNLIMITED) for member in members]
    providers = [RecordedProvider(m, [o for o in away if o.model == m.name], seed, spread) for m in members]
    stage = RecordedSimulation(providers, seed, policy={**approach.policy, "seed": seed}, **SETTINGS)
    return stage.play(ground.workload.posed(seed, length_s)), away


def measured(ground: RunSetup, approach: Approach, seed: int, length_s: float, *, calm: bool = False) -> RunSheet:
    """The accounts of one run."""
    return sheet(*run(ground, approach, seed, length_s, calm=calm))
