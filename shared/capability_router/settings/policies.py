"""How models are ranked: `policy:`, its rules, and the second policies `canary:` and `shadow:`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, field_validator, model_validator

from capability_router.money.budget.cap import BudgetSpec
from capability_router.policies.adaptive import COST_WEIGHT, LATENCY_WEIGHT
from capability_router.policies.model_group import Step, step
from capability_router.policies.policy_factory import POLICIES
from capability_router.policies.rules import CONDITIONS, RuleSpec
from capability_router.policies.second_policy.shadow import SHADOW_TAG
from capability_router.policies.weighted import DEFAULT_WEIGHTS
from capability_router.request import Need
from capability_router.settings.block import Above, Block, FileName, Flag, Seconds, Share, Text, Weight
from capability_router.settings.problems import unknown
from capability_router.settings.units import choice, flag, number, texts, whole

USES = {
    "quality_target": ("adaptive",), "quality_share": ("adaptive",), "min_quality": ("adaptive",),
    "cost_weight": ("adaptive",),
    "latency_weight": ("adaptive",), "cost_target_usd": ("adaptive",), "latency_target_s": ("adaptive",),
    "budget_pacing": ("adaptive",), "exploration": ("adaptive",),
    "exploration_usd_per_day": ("adaptive",), "state": ("adaptive",), "weights": ("weighted",),
    "implicit": ("adaptive", "weighted"),
    "rules": ("rules",),
}  # fmt: skip
"""Policy setting -> the policies that read it."""


_PRICING = ("quality_target", "quality_share", "cost_target_usd", "budget_pacing")


def _steps(value: Any) -> tuple[Step, ...]:
    listed = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(step(each) for each in listed)


class RuleBlock(Block):
    """`{when: {task: code}, then: [model, ...]}`; no `when` means always.

    A step of `then` may be several models of one rank: `{share: {model: 9, other: 1}}`, `{fastest: [model, ...]}`,
    `cheapest`, `least_busy`.
    """

    when: Mapping[str, Any] = {}
    then: Annotated[tuple[Step, ...], PlainValidator(_steps)]

    @field_validator("when")
    @classmethod
    def _conditions(cls, when: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: _condition(name, value) for name, value in when.items()}


def _condition(name: str, value: Any) -> Any:
    if name not in CONDITIONS:
        raise ValueError(f"has an unknown condition {unknown(name, CONDITIONS)}")
    try:
        if name in ("min_input_tokens", "max_input_tokens"):
            return whole(0)(value)
        found = flag(value) if name == "stream" else texts(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    odd = [need for need in texts(value) if need.upper() not in Need.__members__] if name == "needs" else []
    if odd:
        raise ValueError(f"has an unknown need {unknown(odd[0], [n.lower() for n in Need.__members__])}")
    return found


class PolicyBlock(Block):
    """How models are ranked. Weights are 0 or more; `cost_weight` and `latency_weight` belong to adaptive.

    `quality_share`: the part of the best models' mean quality that adaptive keeps, 0 to 1.
    `cost_target_usd`, `latency_target_s`: averages per request that adaptive keeps. `budget_pacing`: the global caps of
    `budgets` are to last their windows.

    `exploration`: the share of requests that may try a model which may be better than the pick (only with `state`), for
    at most `exploration_usd_per_day` above the picks' cost. `implicit`: whether refusals, answers that don't parse,
    broken tool calls and repeated requests count against a model. `state`: the file of what adaptive has learned.
    """

    name: Annotated[str, PlainValidator(choice(*POLICIES))] = "adaptive"
    quality_target: Share | None = None
    quality_share: Share | None = None
    min_quality: Share | None = None
    cost_weight: Weight = COST_WEIGHT
    latency_weight: Weight = LATENCY_WEIGHT
    cost_target_usd: Above | None = None
    latency_target_s: Seconds | None = None
    budget_pacing: Flag = False
    weights: Mapping[str, Weight] = DEFAULT_WEIGHTS
    rules: tuple[RuleBlock, ...] = ()
    exploration: Share = 0.0
    exploration_usd_per_day: Weight = 1.0
    implicit: Flag = True
    state: FileName | None = None
    seed: Annotated[int, PlainValidator(whole(0))] | None = None

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        for name in weights:
            if name not in DEFAULT_WEIGHTS:
                raise ValueError(f"has an unknown weight {unknown(name, DEFAULT_WEIGHTS)}")
        return weights

    @model_validator(mode="after")
    def _ruled(self) -> PolicyBlock:
        if self.name == "rules" and not self.rules:
            raise ValueError("needs rules: [{when: {task: code}, then: [model id, ...]}, ...] for policy 'rules'")
        return self

    @model_validator(mode="after")
    def _one_price(self) -> PolicyBlock:
        """One thing sets the price of quality."""
        if self.name != "adaptive":
            return self
        found = [name for name in _PRICING if getattr(self, name) not in (None, False)]
        if len(found) > 1 and found[0].startswith("quality"):
            raise ValueError(
                f"has {found[0]} and {found[1]}, which both set the price of quality; keep one "
                "(min_quality is a floor, and goes with either)"
            )
        return self

    @property
    def reads_signs(self) -> bool:
        """Whether implicit signs change what it believes of a model."""
        return self.implicit and self.name in USES["implicit"]

    def specs(self) -> tuple[RuleSpec, ...]:
        """The rules as the policy reads them."""
        return tuple(RuleSpec(dict(rule.when), rule.then) for rule in self.rules)

    def unread(self) -> list[str]:
        """Settings that are written, but that this policy does not read."""
        return [name for name in USES if name in self.model_fields_set and self.name not in USES[name]]


class CanaryBlock(PolicyBlock):
    """A second policy that decides `share` of the sessions, 0 to 1; without a session, of the requests."""

    share: Share

    @model_validator(mode="after")
    def _named(self) -> CanaryBlock:
        if "name" not in self.model_fields_set:
            raise ValueError("needs the name of its policy, such as {name: cheapest, share: 0.1}")
        return self


class ShadowBlock(PolicyBlock):
    """A second policy that also decides each request, but whose pick does not answer it.

    `execute`: the share of requests for which its pick is called too, for at most `budget_usd` per `window`.
    """

    execute: Share = 0.0
    budget_usd: Annotated[float, PlainValidator(number(0))] | None = None
    window: Text = "day"

    @model_validator(mode="after")
    def _named(self) -> ShadowBlock:
        if "name" not in self.model_fields_set:
            raise ValueError("needs the name of its policy, such as {name: cheapest}")
        if self.execute and self.budget_usd is None:
            raise ValueError("needs budget_usd, the most that executed calls may cost per window, for execute")
        self.caps()
        return self

    def caps(self) -> tuple[BudgetSpec, ...]:
        """The cap on the calls that it makes; raises ConfigError for what is no window."""
        if self.budget_usd is None:
            return ()
        return (BudgetSpec(scope=f"tag:{SHADOW_TAG}", limit_usd=self.budget_usd, window=self.window),)
