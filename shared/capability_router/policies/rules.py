"""rules: static when/then, first match wins; within a rule the order of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capability_router.errors import ConfigError
from capability_router.policies.base import EligibleModel, PolicyContext, PolicyScores, StatelessPolicy
from capability_router.policies.model_group import ModelGroup, Step, first_choice_propensities, names, order
from capability_router.request import Need


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """`when`: conditions that must all hold (empty = always). `then`: models, or several of one rank, best first."""

    when: Mapping[str, Any]
    then: tuple[Step, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every model in the rule."""
        return tuple(names(self.then))


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _needs(scene: PolicyContext, value: Any) -> bool:
    return all(scene.request.needs & Need[name.upper()] for name in _listed(value))


CONDITIONS: dict[str, Callable[[PolicyContext, Any], bool]] = {
    "task": lambda s, v: s.features.task in _listed(v),
    "tenant": lambda s, v: s.request.routing.tenant in _listed(v),
    "tags": lambda s, v: set(_listed(v)) <= set(s.request.routing.tags),
    "require_tags": lambda s, v: set(_listed(v)) <= set(s.request.routing.require_tags),
    "chain": lambda s, v: s.request.routing.chain in _listed(v),
    "framework": lambda s, v: s.request.routing.framework in _listed(v),
    "needs": _needs,
    "min_input_tokens": lambda s, v: s.features.input_tokens >= v,
    "max_input_tokens": lambda s, v: s.features.input_tokens <= v,
    "stream": lambda s, v: s.request.stream is v,
}
"""Condition name -> test. Needs are card field names such as tool_calling."""
_ALL = ("tags", "require_tags", "needs")
"""Conditions of which all values must be present; for the others any one is enough."""


class Rules(StatelessPolicy):
    """The models of the first rule that matches, in its order; then the others in registry order."""

    name = "rules"
    ordered = True

    def __init__(self, rules: Sequence[RuleSpec], meant: Callable[[str], Sequence[str]]) -> None:
        self._rules = [_settled(rule, meant) for rule in rules]
        self._told = [_told(rule.when) for rule in self._rules]

    def _match(self, scene: PolicyContext) -> tuple[int, tuple[Step, ...]]:
        for number, rule in enumerate(self._rules, 1):
            if all(CONDITIONS[name](scene, value) for name, value in rule.when.items()):
                return number, rule.then
        return 0, ()

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """Falling numbers: the rule's models first, then the rest."""
        then = self._match(scene)[1]
        by_id = {row.card.id: row for row in scene.rows} if any(isinstance(step, ModelGroup) for step in then) else {}
        places = {model: i for i, model in enumerate(dict.fromkeys(order(then, scene.request, by_id)))}
        behind = len(places)
        scores = [-float(places.get(row.card.id, behind + i)) for i, row in enumerate(scene.rows)]
        return PolicyScores(scores, chances=first_choice_propensities(then, by_id) if by_id else None)

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """Which rule matched."""
        number, then = self._match(scene)
        found = next((step for step in then if best.card.id == step or best.card.id in _members(step)), None)
        if found is not None:
            how = f", {found.how}" if isinstance(found, ModelGroup) else ""
            return f"rule {number}: {self._told[number - 1]}{how}"
        return "no model of the matching rule is usable" if number else "no rule matches; first in order"


def _told(when: Mapping[str, Any]) -> str:
    """'tags nightly and urgent, min_input_tokens 1000': as router.yaml names it."""
    named = (f"{name} {' and '.join(_listed(v)) if name in _ALL else _any(v)}" for name, v in when.items())
    return ", ".join(named) or "always"


def _any(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, (int, float)) else " or ".join(_listed(value))


def _settled(rule: RuleSpec, meant: Callable[[str], Sequence[str]]) -> RuleSpec:
    steps = [one for step in rule.then for one in _resolved(step, meant)]
    return RuleSpec(dict(rule.when), tuple(dict.fromkeys(steps)))


def _members(step: Step) -> tuple[str, ...]:
    return step.models if isinstance(step, ModelGroup) else ()


def _resolved(step: Step, meant: Callable[[str], Sequence[str]]) -> Sequence[Step]:
    """The ids of a step's models; in a share each has the weight of its name."""
    if isinstance(step, str):
        return _known(step, meant)
    weights = step.weights or (1.0,) * len(step.models)
    each = {id: weight for name, weight in zip(step.models, weights, strict=True) for id in _known(name, meant)}
    return [ModelGroup(step.how, tuple(each), tuple(each.values()) if step.weights else ())]


def _known(model: str, meant: Callable[[str], Sequence[str]]) -> Sequence[str]:
    try:
        return meant(model)
    except ConfigError as error:
        raise ConfigError(f"policy.rules: {error}") from None
