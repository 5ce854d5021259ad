"""The approaches that are compared: each a policy of the product, with settings from the other part alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.approaches.cast import Member, fleet
from benchmarks.approaches.provider import Outage, Recorded, outages
from benchmarks.approaches.questions import CLASSIFY, GENERATE, READ
from benchmarks.approaches.sheet import Line, Sheet, sheet
from benchmarks.approaches.speeds import SPREAD
from benchmarks.approaches.stage import Stage
from benchmarks.approaches.workload import Workload

SINGLE, RULES, FITTED, ADAPTIVE = "single model", "rules", "rules, fitted", "adaptive"
FALLBACKS, CHEAPEST, FASTEST = "with_fallbacks order", "cheapest (LiteLLM's cost)", "fastest (LiteLLM's latency)"
GOOD_ENOUGH = 0.85
"""Of the strongest model's mean score: what the engineer who writes rules asks of the cheap model."""
AS_GOOD = 0.95
"""Of the best model's mean score of a kind: what is asked of a kind's model where rules are fitted to the log."""
AIM = 0.98
"""Of the strongest model's mean score: what `adaptive` is told to keep; 0.95 is asked of it."""
UNSET = "adaptive, no settings"
FITTED_ADAPTIVE = "adaptive, fitted"
"""With the settings that a part of the log speaks for (fitting.py)."""
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


class Ground(NamedTuple):
    """What a run stands on. `state`: what was learned of the other part, by the product's own training."""

    workload: Workload
    ladder: str
    state: Path

    def strongest(self) -> str:
        """Of the part to learn from."""
        return self.by_strength()[0]

    def by_strength(self) -> list[str]:
        means = self.workload.means()
        return sorted(means, key=lambda model: -means[model][0])

    def members(self, models: Sequence[str]) -> list[Member]:
        return fleet(list(models), self.strongest(), self.ladder)


def approaches(ground: Ground) -> Iterator[Approach]:
    """All of them, the fitted one once its settings are known; only `single model` has one model."""
    ranked = ground.by_strength()
    yield Approach(SINGLE, ranked[:1], {"name": "single"})
    yield Approach(FALLBACKS, ranked, {"name": "single"})
    yield Approach(CHEAPEST, ranked, {"name": "cheapest"})
    yield Approach(FASTEST, ranked, {"name": "fastest"})
    yield Approach(RULES, ranked, {"name": "rules", "rules": by_hand(ground)})
    yield Approach(FITTED, ranked, {"name": "rules", "rules": fitted(ground)})
    own = adaptive(ground, AIM)
    yield own
    yield adaptive(ground, None)
    fit = ground.state.with_name(f"{ground.workload.mix.name}.fit.json")
    if fit.exists():
        aim, second = json.loads(fit.read_text(encoding="utf-8"))
        policy = {**adaptive(ground, aim).policy, "latency_weight": second}
        yield Approach(FITTED_ADAPTIVE, own.models, policy)


def adaptive(ground: Ground, aim: float | None) -> Approach:
    """With this part of the strongest model's mean score as its target; None = as it is without settings."""
    ranked, means = ground.by_strength(), ground.workload.means()
    target = {} if aim is None else {"quality_target": round(aim * means[ranked[0]][0], 4)}
    name = UNSET if aim is None else ADAPTIVE if aim == AIM else f"{ADAPTIVE}, {aim:g}"
    return Approach(name, ranked, {"name": "adaptive", "state": str(ground.state), **target})


def by_hand(ground: Ground) -> list[dict[str, Any]]:
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


def fitted(ground: Ground) -> list[dict[str, Any]]:
    """For each kind the cheapest model that was nearly as good as the best, by the log that `adaptive` learns from."""
    strong = ground.strongest()
    kinds = ground.workload.mix.shares
    return [{"when": {"tags": [k]}, "then": [_cheapest(ground, k, AS_GOOD), strong]} for k in kinds]


def _cheapest(ground: Ground, kind: str, part: float) -> str:
    means = ground.workload.means(kind)
    least = part * max(score for score, _, _ in means.values())
    prices = {member.name: member.price for member in ground.members(ground.workload.models)}

    def usd(model: str) -> float:
        _, entered, written = means[model]
        return entered * prices[model][0] + written * prices[model][1]

    return min((model for model, (score, _, _) in means.items() if score >= least), key=usd)


def run(
    ground: Ground, approach: Approach, seed: int, length_s: float, *, calm: bool = False, spread: float = SPREAD
) -> tuple[list[Line], list[Outage]]:  # fmt: skip
    """One run in virtual time; the same seed has the same requests, outages and speeds, whoever decides.

    `calm`: nobody is away, and nobody has limits.
    """
    away = [] if calm else outages(ground.workload.models, seed, length_s)
    members = ground.members(approach.models)
    if calm:
        members = [member._replace(rpm=UNLIMITED) for member in members]
    providers = [Recorded(m, [o for o in away if o.model == m.name], seed, spread) for m in members]
    stage = Stage(providers, seed, policy={**approach.policy, "seed": seed}, **SETTINGS)
    return stage.play(ground.workload.posed(seed, length_s)), away


def measured(ground: Ground, approach: Approach, seed: int, length_s: float, *, calm: bool = False) -> Sheet:
    """The accounts of one run."""
    return sheet(*run(ground, approach, seed, length_s, calm=calm))
