"""From a policy's name and settings to the policy."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Protocol

from capability_router.errors import ConfigError
from capability_router.policies.adaptive import COST_WEIGHT, LATENCY_WEIGHT, Adaptive
from capability_router.policies.base import Policy
from capability_router.policies.cheapest import Cheapest
from capability_router.policies.fastest import Fastest
from capability_router.policies.rules import Rules
from capability_router.policies.single import Single
from capability_router.policies.weighted import DEFAULT_WEIGHTS, Weighted

Resolve = Callable[[str], str | None]


class PolicySettings(Protocol):
    """The `policy:` block."""

    @property
    def name(self) -> str: ...
    @property
    def quality_target(self) -> float | None: ...
    @property
    def min_quality(self) -> float | None: ...
    @property
    def cost_weight(self) -> float | None: ...
    @property
    def latency_weight(self) -> float | None: ...
    @property
    def weights(self) -> Any: ...
    @property
    def rules(self) -> Any: ...


def _adaptive(settings: PolicySettings, _: Resolve) -> Policy:
    cost, latency = settings.cost_weight, settings.latency_weight
    return Adaptive(
        quality_target=settings.quality_target,
        min_quality=settings.min_quality,
        cost_weight=COST_WEIGHT if cost is None else cost,
        latency_weight=LATENCY_WEIGHT if latency is None else latency,
    )


POLICIES: dict[str, Callable[[PolicySettings, Resolve], Policy]] = {
    "single": lambda s, r: Single(),
    "rules": lambda s, r: Rules(s.rules, r),
    "cheapest": lambda s, r: Cheapest(),
    "fastest": lambda s, r: Fastest(),
    "weighted": lambda s, r: Weighted(s.weights or DEFAULT_WEIGHTS),
    "adaptive": _adaptive,
}


def choose_policy(settings: PolicySettings, resolve: Resolve) -> Policy:
    """The policy of this name; raises ConfigError naming the nearest."""
    make = POLICIES.get(settings.name)
    if make is None:
        near = get_close_matches(settings.name, POLICIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(POLICIES)}"
        raise ConfigError(f"unknown policy {settings.name!r}; {hint}")
    return make(settings, resolve)
