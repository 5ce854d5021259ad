"""The second policies of a router: who decides a request, and who decides it alongside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capability_router.errors import ConfigError
from capability_router.plan import Plan
from capability_router.policies.affinity import StickyModel
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.policies.base import LearnedModel, Policy, PolicyContext
from capability_router.policies.exploration.explorer import PICKED, ExplorationChoice
from capability_router.policies.planner import Decision, Planner
from capability_router.policies.policy_factory import choose_policy
from capability_router.policies.second_policy.canary import CanaryPolicy
from capability_router.policies.second_policy.second_planner import SecondPlanner
from capability_router.policies.second_policy.shadow import ShadowDecision, ShadowPolicy
from capability_router.request import Request

if TYPE_CHECKING:
    from capability_router.config import Settings
    from capability_router.settings.policies import PolicyBlock as PolicyBlock

Learn = Callable[[str | None], LearnedModel | None]
"""From the path of a learned state to what it knows."""


@dataclass(slots=True)
class RoutingDecision:
    """A decision, the policy that made it, what the shadow says to it, and what was explored in it."""

    plan: Plan
    scene: PolicyContext
    policy: Policy
    aside: ShadowDecision | None = None
    explored: ExplorationChoice = PICKED


class SecondPolicies:
    """The canary and the shadow that the settings name, if any."""

    def __init__(
        self, settings: Settings, named: Callable[[str], Sequence[str]], learner: Learn, pace: BudgetPacer | None = None
    ) -> None:  # fmt: skip
        def second(place: str, block: PolicyBlock) -> SecondPlanner:
            try:
                policy = choose_policy(block, named, pace)
            except ConfigError as error:
                raise ConfigError(str(error).replace("policy.", f"{place}.", 1)) from None
            learned = learner(block.state if block.name == "adaptive" else None)
            return SecondPlanner(policy, learned, reads_signs=block.reads_signs)

        self._pace = pace
        canary, shadow = settings.canary, settings.shadow
        self._canary = CanaryPolicy(second("canary", canary), canary.share, canary.seed) if canary else None
        self._shadow = ShadowPolicy(second("shadow", shadow), shadow.execute, shadow.seed) if shadow else None

    def decide(
        self, planner: Planner, request: Request, now: float, stay: StickyModel, *, alongside: bool
    ) -> RoutingDecision:
        """By the canary if the request is its, else by the router's own policy, with the shadow beside it.

        The shadow compares itself with the router's own picks alone, not with a model that was explored. A pinned
        request tells of no policy.
        """
        if request.routing.pin is not None:  # nobody has a choice here
            own = planner.decide(request, now, stay=stay)
            return RoutingDecision(own.plan, own.scene, planner.policy, explored=own.explored)
        canary = self._canary
        if canary is not None and canary.takes(request):
            own = canary.second.decide(planner, request, now, stay)
            return RoutingDecision(CanaryPolicy.marked(own.plan, taken=True), own.scene, canary.second.policy)
        decision = planner.decide(request, now, stay=stay)
        plan, explored = decision.plan, decision.explored
        aside = self._aside(decision, planner, now, stay) if alongside and not explored.at else None
        marked = plan if canary is None else CanaryPolicy.marked(plan, taken=False)
        return RoutingDecision(marked, decision.scene, planner.policy, aside, explored)

    def carried_out(self, policy: Policy, scene: PolicyContext, plan: Plan) -> None:
        """What was decided by this policy is now done."""
        policy.observe(scene, plan.candidates[0].id)
        if self._pace is not None:
            self._pace.arrived()

    def policy_of(self, planner: Planner, plan: Plan) -> Policy:
        """Whose plan it is."""
        return self._canary.second.policy if plan.canary and self._canary is not None else planner.policy

    def _aside(self, decision: Decision, planner: Planner, now: float, stay: StickyModel) -> ShadowDecision | None:
        if self._shadow is None or not decision.plan.candidates:
            return None
        return self._shadow.beside(decision, planner, now, stay)
