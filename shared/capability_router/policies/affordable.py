"""How budgets would change a plan: for `explain`, which sends nothing."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.frozen_value import altered
from capability_router.money.budget.denial import Denial
from capability_router.plan import Candidate, Plan


def within_budgets(plan: Plan, foreseen: Callable[[Candidate], Denial | None]) -> Plan:
    """The plan with a remark for each model that a budget would forbid; these models move behind the others.

    If the first candidate meets a budget that refuses instead of degrading, a note says that the request would fail.
    """
    denials = {c.id: denial for c in plan.candidates if (denial := foreseen(c)) is not None}
    if not denials:
        return plan
    first = denials.get(plan.candidates[0].id)
    turn = next((c.id for c in plan.candidates if c.id not in denials or denials[c.id].final), plan.candidates[0].id)
    fits = [c for c in plan.candidates if c.id not in denials]
    rest = [c._replace(held=f"budget: {denials[c.id].told}") for c in plan.candidates if c.id in denials]
    if first is None:
        return altered(plan, candidates=(*fits, *rest))
    if turn in denials:
        note = f"a budget would refuse the request: {denials[turn].told}"
        return altered(plan, candidates=(*rest, *fits), notes=(*plan.notes, note))
    reason = f"the budget leaves out {plan.candidates[0].id}: {first.told}"
    return altered(plan, candidates=(*fits, *rest), reason=reason)
