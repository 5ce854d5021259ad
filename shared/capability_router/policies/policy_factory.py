"""Makes the policy from its name and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from capability_router.policies.adaptive import Adaptive
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.policies.base import Policy
from capability_router.policies.cheapest import Cheapest
from capability_router.policies.fastest import Fastest
from capability_router.policies.rules import Rules, RuleSpec
from capability_router.policies.single import Single
from capability_router.policies.weighted import Weighted

Meant = Callable[[str], Sequence[str]]
"""The ids that a model name may mean; raises ConfigError if it means none."""


class PolicySettings(Protocol):
    """The `policy:` block."""

    @property
    def name(self) -> str: ...
    @property
    def quality_target(self) -> float | None: ...
    @property
    def quality_share(self) -> float | None: ...
    @property
    def min_quality(self) -> float | None: ...
    @property
    def cost_weight(self) -> float: ...
    @property
    def latency_weight(self) -> float: ...
    @property
    def cost_target_usd(self) -> float | None: ...
    @property
    def latency_target_s(self) -> float | None: ...
    @property
    def budget_pacing(self) -> bool: ...
    @property
    def weights(self) -> Mapping[str, float]: ...
    def specs(self) -> Sequence[RuleSpec]: ...


def _adaptive(settings: PolicySettings, _: Meant, pace: BudgetPacer | None) -> Policy:
    return Adaptive(
        quality_target=settings.quality_target,
        quality_share=settings.quality_share,
        min_quality=settings.min_quality,
        cost_weight=settings.cost_weight,
        latency_weight=settings.latency_weight,
        cost_target_usd=settings.cost_target_usd,
        latency_target_s=settings.latency_target_s,
        pace=pace if settings.budget_pacing else None,
    )


POLICIES: dict[str, Callable[[PolicySettings, Meant, BudgetPacer | None], Policy]] = {
    "single": lambda s, m, p: Single(),
    "rules": lambda s, m, p: Rules(s.specs(), m),
    "cheapest": lambda s, m, p: Cheapest(),
    "fastest": lambda s, m, p: Fastest(),
    "weighted": lambda s, m, p: Weighted(s.weights),
    "adaptive": _adaptive,
}


def choose_policy(settings: PolicySettings, meant: Meant, pace: BudgetPacer | None = None) -> Policy:
    """The policy of this name; `adaptive` keeps the caps' `pace` if `budget_pacing` is set. Raises ConfigError for an
    unknown model in a rule.

    `settings` are checked (settings/policies.py) except for model names, which only the registry knows.
    """
    return POLICIES[settings.name](settings, meant, pace)
