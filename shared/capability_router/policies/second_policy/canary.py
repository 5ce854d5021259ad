"""A canary: a second policy that decides a share of the traffic, a session always or never."""

from __future__ import annotations

from capability_router.frozen_value import altered
from capability_router.plan import Plan
from capability_router.policies.buckets import bucket_of
from capability_router.policies.second_policy.second_planner import SecondPlanner
from capability_router.request import Request


class CanaryPolicy:
    """`share` of the sessions, 0 to 1; a request without one counts as a session of its own."""

    def __init__(self, second: SecondPlanner, share: float, seed: int | None = None) -> None:
        self.second = second
        self._share, self._seed = share, seed

    def takes(self, request: Request) -> bool:
        """Whether the second policy decides this request. A larger share includes the sessions of a smaller one."""
        return bucket_of(request, "canary", self._seed, sticky=True) < self._share

    @staticmethod
    def marked(plan: Plan, *, taken: bool) -> Plan:
        """The plan, marked with which policy made it."""
        return altered(plan, canary=taken, reason=f"canary: {plan.reason}" if taken else plan.reason)
