"""With which chance each model was asked for a logged request, as far as its decision record tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from sys import intern  # a long log names few models, again and again
from typing import Any, NamedTuple

from capability_router.learning.logs.scored_request import ScoredRequest
from capability_router.learning.logs.values import name_of, number_of

_SAME = 1e-6


class ShadowChoice(NamedTuple):
    """The model that a shadow of this policy chose for a request, where the shadow's call may be made."""

    policy: str
    model: str


class Shadowed(NamedTuple):
    """A request with the model that its router's own policy chose, and its shadow's choice."""

    row: ScoredRequest
    chosen: str
    rival: ShadowChoice


def propensities_of(item: Mapping[str, Any], plan: Mapping[str, Any], model: str) -> dict[str, float]:
    """Each model's chance of being chosen, or only that of the one that answered.

    Empty where another decided: a failure, a pin, the lot of a canary.
    """
    chance = number_of(plan.get("propensity")) if plan.get("chosen") == model else None
    if chance is None or (chance >= 1.0 and _split(item, plan)):
        return {}
    return _listed(plan.get("chances"), model, chance) or {intern(model): chance}


def _split(item: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    refusals = plan.get("refusals")
    pinned = any(refusal.get("rule") == "pin" for refusal in refusals) if isinstance(refusals, list) else False
    return pinned or item.get("canary") is not None


def _listed(listed: object, model: str, chance: float) -> dict[str, float]:
    """Empty if they don't fit together."""
    told = {name_of(k): number_of(v) for k, v in listed.items()} if isinstance(listed, Mapping) else {}
    found = {intern(name): each for name, each in told.items() if name and each is not None and 0.0 < each <= 1.0}
    fits = abs(found.get(model, -1.0) - chance) <= _SAME and sum(found.values()) <= 1.0 + _SAME
    return found if fits else {}


def shadow_choice_of(item: Mapping[str, Any]) -> ShadowChoice | None:
    """None = there is no shadow, or none that calls a model for such a request."""
    told, request = item.get("shadow"), item.get("request")
    within = isinstance(request, Mapping) and request.get("in_tool_loop") is True
    if not isinstance(told, Mapping) or item.get("stream") is True or within:
        return None
    model = name_of(told.get("chosen"))
    return ShadowChoice(intern(name_of(told.get("policy"))), intern(model)) if model else None


def add_shadows(shadowed: Collection[Shadowed]) -> None:
    """Give shadows' choices their chance: the share of the requests with another choice for which they were called."""
    known = [each for each in shadowed if each.row.stated]
    apart = [each for each in known if each.rival.model != each.chosen]
    size = _counted(apart)
    called = _counted(each for each in apart if each.rival.model in each.row.answers)
    for row, _, rival in known:
        place = (row.group, rival.policy)
        if share := called[place] / size[place] if size[place] else 0.0:
            chance = row.chances.get(rival.model, 0.0)
            row.chances[rival.model] = chance + (1.0 - chance) * share


def _counted(shadowed: Iterable[Shadowed]) -> Counter[tuple[str, str]]:
    return Counter((row.group, rival.policy) for row, _, rival in shadowed)
