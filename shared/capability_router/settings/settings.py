"""All settings of a router except its adapter's, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from capability_router.catalog.registry import Registry
from capability_router.execution.effects import Timeouts
from capability_router.health.breaker import BreakerConfig
from capability_router.money.budget.cap import BudgetSpec
from capability_router.policies.rules import RuleSpec
from capability_router.settings.learning import Embedding, Evaluate
from capability_router.settings.money import LedgerBlock
from capability_router.settings.policies import CanaryBlock, PolicyBlock, ShadowBlock
from capability_router.settings.problems import config_error
from capability_router.settings.resilience import Hedge, Retry
from capability_router.settings.router_yaml import RouterYaml
from capability_router.settings.screen import ScreenBlock
from capability_router.settings.telemetry import Telemetry
from capability_router.settings.warnings import about_models, about_words


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """All settings of a router except its adapter's. Durations in seconds, money in USD.

    `policy`: name, quality_target, quality_share, cost_target_usd, latency_target_s, budget_pacing, min_quality,
    cost_weight, latency_weight, weights, exploration, exploration_usd_per_day, state, seed. `retry`: attempts,
    per_target, budget_ratio, budget_floor, wait(n), max_wait_s. `hedge`: on, after_s, extra. `telemetry`: jsonl,
    rotate_mb, keep, log, hashed_words, capture_content, otel(on, attempts).
    `tenants`: tenant -> the only models it may use. `store`: its URL. `counter` of tokens: "estimate",
    "tiktoken", "model", or a function of a text. `shadow`, `canary`: second policies.
    `evaluator`: what scores answers, as `evaluate` says; pickles leave it out. `screen`: what reads requests first.
    `warnings`: what is allowed but probably a mistake.
    """

    name: str
    models: tuple[Any, ...]
    policy: PolicyBlock
    rules: tuple[RuleSpec, ...]
    health: BreakerConfig
    learns_limits: bool
    probe: bool
    reports: bool
    retry: Retry
    timeouts: Timeouts
    deadline_s: float | None
    hedge: Hedge
    budgets: tuple[BudgetSpec, ...]
    resume: bool
    on_content_filter: Literal["return", "fallback"]
    unknown: Literal["prefer_known", "allow", "refuse"]
    on_partial: Literal["fallback", "raise"]
    store: str
    ledger: LedgerBlock
    store_lease_s: float
    when_away: Literal["fail_closed", "fail_open"]
    telemetry: Telemetry
    annotate: bool
    tenants: Mapping[str, tuple[str, ...]]
    evaluate: Evaluate
    embedding: Embedding
    counter: Any = "estimate"
    shadow: ShadowBlock | None = None
    canary: CanaryBlock | None = None
    evaluator: Any = None
    screen: ScreenBlock | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_keywords(cls, **keywords: Any) -> Settings:
        """From `Router(models, policy=..., health=..., ...)`; None = not given. Raises ConfigError."""
        return cls.from_words(keywords)

    @classmethod
    def from_words(cls, written: Mapping[str, Any], named: str = "") -> Settings:
        """From blocks as router.yaml has them; `named` stands in front of what is wrong. Raises ConfigError."""
        try:
            words = RouterYaml.model_validate(written)
        except ValidationError as error:
            raise config_error(error, RouterYaml, named) from None
        own = (*(words.shadow.caps() if words.shadow else ()), *([words.evaluate.cap()] if words.evaluator else []))
        caps = (*(cap.config() for cap in words.budgets), *own)
        return cls(
            name=words.name, models=words.models, policy=words.policy, rules=words.policy.specs(),
            health=words.health.config(), learns_limits=words.health.learns_limits,
            probe=words.health.probe, reports=words.health.reports, retry=words.retry, timeouts=words.timeouts.config(),
            deadline_s=words.deadline_s, hedge=words.hedge, budgets=caps,
            resume=words.resume, on_content_filter=words.on_content_filter, unknown=words.unknown,
            on_partial=words.on_partial,
            store=words.store.url, store_lease_s=words.store.lease_s, when_away=words.store.when_away,
            ledger=words.ledger, telemetry=words.telemetry, annotate=words.annotate,
            tenants=MappingProxyType(dict(words.tenants)), counter=words.tokens.counter, embedding=words.embedding,
            shadow=words.shadow, canary=words.canary, evaluator=words.evaluator, evaluate=words.evaluate,
            screen=words.screen,
            warnings=about_words(words),
        )  # fmt: skip

    def reviewed(self, registry: Registry) -> Settings:
        """These settings with warnings about the models they name and the prices they rely on."""
        found = (*self.warnings, *about_models(self, registry))
        return replace(self, warnings=tuple(dict.fromkeys(found)))

    @property
    def paced(self) -> bool:
        """Whether any policy paces budgets."""
        return any(block is not None and block.budget_pacing for block in (self.policy, self.shadow, self.canary))

    def __reduce__(self) -> tuple[Any, ...]:
        """A read-only mapping can't be pickled, so it travels as a dict. An evaluator may hold keys and stays here."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return _thawed, ({**values, "tenants": dict(self.tenants), "evaluator": None},)

    def __repr__(self) -> str:
        return f"<Settings {self.name}: {len(self.models)} models, policy {self.policy.name}>"


def _thawed(values: dict[str, Any]) -> Settings:
    return Settings(**{**values, "tenants": MappingProxyType(values["tenants"])})
