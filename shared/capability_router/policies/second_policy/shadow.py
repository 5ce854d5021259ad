"""A shadow: a second policy that decides alongside, and whose decision is recorded.

Its choice is not executed, except for a sampled share, for paired outcomes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from capability_router.plan import Plan
from capability_router.policies.affinity import StickyModel
from capability_router.policies.buckets import bucket_of
from capability_router.policies.planner import Decision, Planner
from capability_router.policies.second_policy.second_planner import SecondPlanner
from capability_router.request import Request

SHADOW_TAG = "router:shadow"
"""The tag under which the calls of a shadow are booked."""

log = logging.getLogger("capability_router")


@dataclass(frozen=True, slots=True)
class ShadowDecision:
    """The shadow's decision. `plan` is None if the shadow failed, with an error of the class `error`.

    `chosen`: the first model of the router's own policy. `sampled`: whether the request is among those whose shadow is
    executed, if it differs and may be.
    """

    policy: str
    chosen: str
    plan: Plan | None
    sampled: bool = False
    error: str = ""

    @property
    def differs(self) -> bool:
        """Whether it would have tried another model first."""
        return self.plan is not None and bool(self.plan.candidates) and self.plan.chosen.id != self.chosen

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; with predicted quality, 0 to 1, cost and time of the model that it would have tried first."""
        if self.plan is None or not self.plan.candidates:
            return {"policy": self.policy, "chosen": None, "error": self.error or "no eligible model"}
        told = self.plan.chosen.to_dict()
        return {
            "policy": self.policy, "chosen": told["id"], "differs": self.differs, "sampled": self.sampled,
            "reason": self.plan.reason, "settings": dict(self.plan.settings),
            **{name: told[name] for name in ("quality", "cost_usd", "latency_s", "score")},
        }  # fmt: skip


class ShadowPolicy:
    """`execute`: the share of requests, 0 to 1, whose shadow is executed too."""

    def __init__(self, second: SecondPlanner, execute: float = 0.0, seed: int | None = None) -> None:
        self.second = second
        self._execute, self._seed = execute, seed

    def beside(self, decision: Decision, planner: Planner, now: float, stay: StickyModel) -> ShadowDecision:
        """Decide the same request at the same moment. If the shadow fails, the request goes on without it."""
        request, chosen, name = decision.scene.request, decision.plan.chosen.id, self.second.policy.name
        try:
            other = self.second.decide(planner, request, now, stay, like=decision)
            self.second.policy.observe(other.scene, other.plan.candidates[0].id)
        except Exception as error:  # noqa: BLE001 - whatever a policy on trial raises, no call may suffer from it
            log.error("shadow policy %s failed: %s", name, type(error).__name__)
            return ShadowDecision(name, chosen, None, error=type(error).__name__)
        return ShadowDecision(name, chosen, other.plan, sampled=self._samples(request))

    def _samples(self, request: Request) -> bool:
        return self._execute > 0 and bucket_of(request, "shadow", self._seed, sticky=False) < self._execute
