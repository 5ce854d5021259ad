"""A second policy beside the router's own: it plans the same requests from the same facts, with its own memory."""

from __future__ import annotations

from dataclasses import replace

from capability_router.policies.affinity import StickyModel
from capability_router.policies.base import LearnedModel, Policy
from capability_router.policies.planner import Decision, Planner
from capability_router.request import Request


class SecondPlanner:
    """Replaces the planner's policy and learned model; `learned` None = cards and levels only.

    It has no guard, and tries no models. `reads_signs`: whether implicit signs change what it believes.
    """

    def __init__(self, policy: Policy, learned: LearnedModel | None = None, *, reads_signs: bool = True) -> None:
        self.policy, self._learned, self._reads_signs = policy, learned, reads_signs
        self._made: tuple[Planner, Planner] | None = None

    def decide(
        self, planner: Planner, request: Request, now: float, stay: StickyModel, *, like: Decision | None = None
    ) -> Decision:
        """Its decision in place of `planner`'s; `like`: a decision of the same request, whose features are reused."""
        found = None if like is None else like.scene.features
        return self._on(planner).decide(request, now, stay=stay, found=found)

    def _on(self, planner: Planner) -> Planner:
        """Made once per planner; the pair is one value, because threads decide at the same time."""
        made = self._made
        if made is None or made[0] is not planner:
            own = replace(
                planner, policy=self.policy, learned=self._learned, guard=None, explorer=None,
                reads_signs=self._reads_signs,
            )  # fmt: skip
            self._made = made = (planner, own)
        return made[1]
