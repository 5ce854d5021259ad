"""rules: static when/then, first match wins; within a rule the order of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.policies.base import Judgement, Row, Scene, Static
from capability_router.request import Need


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """`when`: conditions that must all hold (empty = always). `then`: model ids, best first."""

    when: Mapping[str, Any]
    then: tuple[str, ...]


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _needs(scene: Scene, value: Any) -> bool:
    return all(scene.request.needs & Need[name.upper()] for name in _listed(value))


CONDITIONS: dict[str, Callable[[Scene, Any], bool]] = {
    "task": lambda s, v: s.features.task in _listed(v),
    "tenant": lambda s, v: s.request.routing.tenant in _listed(v),
    "tags": lambda s, v: set(_listed(v)) <= set(s.request.routing.tags),
    "chain": lambda s, v: s.request.routing.chain in _listed(v),
    "framework": lambda s, v: s.request.routing.framework in _listed(v),
    "needs": _needs,
    "min_input_tokens": lambda s, v: s.features.input_tokens >= v,
    "max_input_tokens": lambda s, v: s.features.input_tokens <= v,
    "stream": lambda s, v: s.request.stream is v,
}
"""Condition name -> does it hold. Needs are card field names such as tool_calling."""


class Rules(Static):
    """The models of the first rule that matches, in its order; then the others in registry order."""

    name = "rules"
    ordered = True

    def __init__(self, rules: Sequence[RuleSpec], meant: Callable[[str], Sequence[str]]) -> None:
        self._rules = [_checked(rule, meant) for rule in rules]
        if not self._rules:
            raise ConfigError("policy 'rules' needs rules: [{when: {task: code}, then: [model id, ...]}, ...]")

    def _match(self, scene: Scene) -> tuple[int, tuple[str, ...]]:
        for number, rule in enumerate(self._rules, 1):
            if all(CONDITIONS[name](scene, value) for name, value in rule.when.items()):
                return number, rule.then
        return 0, ()

    def judge(self, scene: Scene) -> Judgement:
        """Falling numbers: the rule's models first, then the rest."""
        order = {model: i for i, model in enumerate(self._match(scene)[1])}
        behind = len(order)
        return Judgement([(-float(order.get(row.card.id, behind + i)), ()) for i, row in enumerate(scene.rows)])

    def reason(self, scene: Scene, best: Row) -> str:
        """Which rule spoke."""
        number, then = self._match(scene)
        if best.card.id in then:
            return f"rule {number}: {dict(self._rules[number - 1].when) or 'always'}"
        return "no model of the matching rule is usable" if number else "no rule matches; first in order"


def _checked(rule: RuleSpec, meant: Callable[[str], Sequence[str]]) -> RuleSpec:
    for name in rule.when:
        if name not in CONDITIONS:
            raise ConfigError(f"policy.rules: unknown condition {name!r}{nearest(name, CONDITIONS)}")
    for need in _listed(rule.when.get("needs", ())):
        if need.upper() not in Need.__members__:
            raise ConfigError(
                f"policy.rules: unknown need {need!r}; known: {', '.join(n.lower() for n in Need.__members__)}"
            )
    ids = [id for model in rule.then for id in _known(model, meant)]
    return RuleSpec(dict(rule.when), tuple(dict.fromkeys(ids)))


def _known(model: str, meant: Callable[[str], Sequence[str]]) -> Sequence[str]:
    found = meant(model)
    if not found:
        raise ConfigError(f"policy.rules: no model {model!r} is registered")
    return found
