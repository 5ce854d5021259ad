"""Settings: router.yaml, a mapping or keywords, checked and frozen.

This module loads pydantic, tenacity and PyYAML; the router imports it when it is first built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.eligibility import unlimited
from capability_router.errors import ConfigError
from capability_router.execution.effects import Timeouts
from capability_router.health.breaker import BreakerConfig
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.price import usd
from capability_router.nearest import nearest
from capability_router.policies.rules import RuleSpec
from capability_router.routing import EVALUATION_TAG
from capability_router.settings.problems import config_error
from capability_router.settings.schema import (
    Canary,
    Embedding,
    Evaluate,
    Hedge,
    LedgerBlock,
    Policy,
    Retry,
    Shadow,
    Telemetry,
    Words,
)
from capability_router.settings.source import read

__all__ = ["Settings", "load"]


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything a router is told but its adapter. Durations in seconds, money in USD.

    `policy`: name, quality_target, cost_target_usd, latency_target_s, budget_pacing, min_quality, cost_weight,
    latency_weight, weights, exploration, exploration_usd_per_day, state, seed. `retry`: attempts, per_target,
    budget_ratio, budget_floor, wait(n), max_wait_s. `hedge`: on, after_s, extra. `telemetry`: jsonl, rotate_mb, keep,
    log, hashed_words, capture_content, otel(on, attempts).
    `tenants`: tenant -> the only models it may use. `store`: its URL. `counter` of tokens: "estimate",
    "tiktoken", "model", or a function of a text. `shadow`, `canary`: second policies.
    `evaluator`: what scores answers, as `evaluate` says; pickles leave it out.
    `warnings`: what is allowed but hardly meant.
    """

    name: str
    models: tuple[Any, ...]
    policy: Policy
    rules: tuple[RuleSpec, ...]
    health: BreakerConfig
    learns_limits: bool
    probe: bool
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
    shadow: Shadow | None = None
    canary: Canary | None = None
    evaluator: Any = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_keywords(cls, **keywords: Any) -> Settings:
        """From `Router(models, policy=..., health=..., ...)`; None = not given. Raises ConfigError."""
        return _settled(keywords, "")

    def reviewed(self, registry: Registry) -> Settings:
        """These settings with warnings about the models they name and the prices they rely on."""
        found = [
            *self.warnings,
            *_unpriced(self, registry.cards),
            *_unlimited(self, registry),
            *_strangers(self, registry),
            *_forgetful(self),
        ]
        return replace(self, warnings=tuple(dict.fromkeys(found)))

    @property
    def paced(self) -> bool:
        """Whether any policy is to make caps last."""
        return any(block is not None and block.budget_pacing for block in (self.policy, self.shadow, self.canary))

    def __reduce__(self) -> tuple[Any, ...]:
        """A read-only mapping can't be pickled, so it travels as a dict. An evaluator may hold keys and stays here."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return _thawed, ({**values, "tenants": dict(self.tenants), "evaluator": None},)

    def __repr__(self) -> str:
        return f"<Settings {self.name}: {len(self.models)} models, policy {self.policy.name}>"


def _thawed(values: dict[str, Any]) -> Settings:
    return Settings(**{**values, "tenants": MappingProxyType(values["tenants"])})


def load(
    source: str | Path | Mapping[str, Any], *, environ: Mapping[str, str] | None = None, **overrides: Any
) -> Settings:  # fmt: skip
    """Settings from a router.yaml or a mapping; keywords lay over it, block by block; None = not given.

    `${NAME}` and `${NAME:-default}` in texts stand for environment variables, or for those of `environ`. Raises
    ConfigError for a missing file, broken YAML, an unknown key, an impossible value, a variable that is not set.
    """
    named, written = read(source, environ)
    settings = _settled(_overlaid(written, overrides), named)
    if all(isinstance(model, (str, Mapping, ModelCard)) for model in settings.models):
        settings = settings.reviewed(_registry(settings.models, named))
    return settings


def _registry(models: tuple[Any, ...], named: str) -> Registry:
    try:
        return Registry.build(models)
    except ConfigError as error:
        raise ConfigError(f"{named}: {error}" if named else str(error)) from None


def _overlaid(written: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(written)
    for name, value in overrides.items():
        if value is not None:
            below, above = _long(name, laid.get(name)), _long(name, value)
            both = isinstance(below, Mapping) and isinstance(above, Mapping)
            laid[name] = {**below, **above} if both else above
    return laid


def _long(name: str, value: Any) -> Any:
    return {"name": value} if name in ("policy", "shadow") and isinstance(value, str) else value


def _settled(written: Mapping[str, Any], named: str) -> Settings:
    try:
        words = Words.model_validate(written)
    except ValidationError as error:
        raise config_error(error, Words, named) from None
    seconds = {"policy": words.policy, "shadow": words.shadow, "canary": words.canary}
    unread = [(place, block, name) for place, block in seconds.items() if block for name in block.unread()]
    own = (*(words.shadow.caps() if words.shadow else ()), *([words.evaluate.cap()] if words.evaluator else []))
    caps = (*(cap.config() for cap in words.budgets), *own)
    return Settings(
        name=words.name, models=words.models, policy=words.policy, rules=words.policy.specs(),
        health=words.health.config(), learns_limits=words.health.learns_limits,
        probe=words.health.probe, retry=words.retry, timeouts=words.timeouts.config(),
        deadline_s=words.deadline_s, hedge=words.hedge, budgets=caps,
        resume=words.resume, on_content_filter=words.on_content_filter, unknown=words.unknown,
        on_partial=words.on_partial,
        store=words.store.url, store_lease_s=words.store.lease_s, when_away=words.store.when_away,
        ledger=words.ledger, telemetry=words.telemetry, annotate=words.annotate,
        tenants=MappingProxyType(dict(words.tenants)), counter=words.tokens.counter, embedding=words.embedding,
        shadow=words.shadow, canary=words.canary, evaluator=words.evaluator, evaluate=words.evaluate,
        warnings=(
            *(f"{place}.{name} is not read by policy {block.name!r}" for place, block, name in unread), *_idle(words),
        ),
    )  # fmt: skip


def _forgetful(settings: Settings) -> list[str]:
    """What a Redis store does not keep."""
    if settings.ledger.store or settings.store.startswith(("memory", "sqlite")):
        return []
    return [
        f"store: {settings.store.partition('://')[0]} does not keep the ledger, whose totals are this process's own; "
        "for all processes, and for longer: `ledger: {store: sqlite:///ledger.db}`"
    ]


def _idle(words: Words) -> list[str]:
    """Settings that are understood, but that nothing heeds yet."""
    asked = {
        "policy.exploration": words.policy.exploration > 0 and words.policy.state is None,
        "shadow.exploration": words.shadow is not None and words.shadow.exploration > 0,
        "canary.exploration": words.canary is not None and words.canary.exploration > 0,
        "evaluate": bool(words.evaluate.model_fields_set) and words.evaluator is None,
        "embedding.embedder": words.embedding.embedder is not None and words.policy.state is None,
    }  # fmt: skip
    second = "in a second policy"
    stateless = "without policy.state"
    why = {
        "policy.exploration": stateless, "embedding.embedder": stateless,
        "shadow.exploration": second, "canary.exploration": second,
        "evaluate": "without evaluator=, which is given in code",
    }  # fmt: skip
    return [
        f"{name} is set, but has no effect {why.get(name, 'in this version')}"
        for name, wanted in asked.items()
        if wanted
    ]


def _unpriced(settings: Settings, cards: Iterable[ModelCard]) -> list[str]:
    """A cap can't hold for a model whose price nobody knows, nor can an average.

    (An evaluator may well ask none of these.)
    """
    capped = any(spec.scope != f"tag:{EVALUATION_TAG}" for spec in settings.budgets)
    aims = settings.policy.name == "adaptive" and settings.policy.cost_target_usd is not None
    if not (capped or aims):
        return []
    which = "budgets are" if capped else "policy.cost_target_usd is"
    return [
        f"{which} set, but the price of {card.id} is unknown, so its calls can't be counted; "
        "give its card a price (input_mtok, output_mtok)"
        for card in cards
        if card.price is None or not card.price.known
    ]


def _unlimited(settings: Settings, registry: Registry) -> list[str]:
    """A cap reserves much for a model of which nobody states how long an answer can be."""
    own = f"tag:{EVALUATION_TAG}"
    caps = [s for s in settings.budgets if s.on_exceed != "warn" and s.limit_usd and s.scope != own]
    found = []
    for entry in registry if caps else ():
        tokens = unlimited(entry.card)
        most = None if entry.card.output_limit or not entry.card.price else entry.card.price.worst(0, tokens)
        if most and any(_covers(spec, entry, registry) for spec in caps):
            found.append(
                f"budgets are set, but nobody states how long an answer of {entry.card.id} can be, so a call without "
                f"max_tokens reserves {tokens:,} output tokens, ${usd(most).normalize():f}; set max_output_tokens or "
                "output_reserve on its entry"
            )
    return found


def _covers(spec: BudgetSpec, entry: Entry, registry: Registry) -> bool:
    """Whether the cap may cover calls of this model."""
    name, card = spec.scope.partition(":")[2], entry.card
    meant = {"model": registry.matches, "provider": registry.spellings, "credential": registry.marks}
    own = {"model": card.id, "provider": card.provider, "credential": entry.address.credential}
    return spec.each or spec.kind not in meant or own[spec.kind] in meant[spec.kind](name)


def _strangers(settings: Settings, registry: Registry) -> list[str]:
    """Names of models and providers, in budgets, rules and tenants, that mean none of the registered."""
    caps = [(spec.kind, spec.scope.partition(":")[2]) for spec in settings.budgets if not spec.each]
    named = [(f"budgets: model:{name}", name) for kind, name in caps if kind == "model"]
    ruled = {"policy": settings.rules, "shadow": _rules(settings.shadow), "canary": _rules(settings.canary)}
    named += [
        (f"{place}.rules[{i}].then", model)
        for place, rules in ruled.items()
        for i, rule in enumerate(rules)
        for model in rule.then
    ]
    named += [(f"tenants.{tenant}", model) for tenant, models in settings.tenants.items() for model in models]
    makers = dict.fromkeys(card.provider for card in registry.cards if card.provider)
    lost = [name for kind, name in caps if kind == "provider" and not registry.spellings(name)]
    return [
        *(_stranger(where, name, registry.entries) for where, name in named if not registry.matches(name)),
        *(_stranger(f"budgets: provider:{name}", name, makers) for name in lost),
        *(
            f"budgets: credential:{name}: no model's key has this mark, or is in a variable of this name; "
            "`capability-router ledger total --by credential` shows the marks that were used"
            for kind, name in caps
            if kind == "credential" and not registry.marks(name)
        ),
    ]


def _rules(block: Policy | None) -> Sequence[RuleSpec]:
    return block.specs() if block else ()


def _stranger(where: str, name: str, known: Iterable[str]) -> str:
    return f"{where} names {name!r}, which is not registered{nearest(name, known)}"
