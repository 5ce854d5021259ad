"""What is allowed in a configuration but probably a mistake; warned of once, when a router is built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from capability_router.amounts import exact
from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.eligibility import EligibilityQuery, screen, unlimited
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.price import usd
from capability_router.nearest import nearest
from capability_router.policies.rules import RuleSpec
from capability_router.request import Request
from capability_router.routing import EVALUATION_TAG, Routing
from capability_router.screen import BUILTIN
from capability_router.screening.label_rules import ANY, LabelRules
from capability_router.screening.requirement import CAREFUL, NarrowedTerms

if TYPE_CHECKING:
    from capability_router.settings.policies import PolicyBlock
    from capability_router.settings.router_yaml import RouterYaml
    from capability_router.settings.settings import Settings


def about_words(words: RouterYaml) -> tuple[str, ...]:
    """Warnings about settings that nothing reads."""
    blocks = {"policy": words.policy, "shadow": words.shadow, "canary": words.canary}
    unread = [(place, block, name) for place, block in blocks.items() if block for name in block.unread()]
    vain = (f"{place}.{name} has no effect with policy {block.name!r}" for place, block, name in unread)
    return (*vain, *_idle(words))


def about_models(settings: Settings, registry: Registry) -> tuple[str, ...]:
    """Warnings about the models that the settings name, and the prices and limits that they need."""
    return (
        *about_prices(settings, registry.cards),
        *_unlimited(settings, registry),
        *_strangers(settings, registry),
        *_forgetful(settings),
        *_unread(settings, registry),
        *_untaught(settings),
    )


def _untaught(settings: Settings) -> list[str]:
    """Second policies whose learned state is not there: theirs is only read, so they would be tried without it."""
    blocks = {"shadow": settings.shadow, "canary": settings.canary}
    own = (None, "store", settings.policy.state)  # the router's own file is made with the first score
    named = [(place, b.state) for place, b in blocks.items() if b and b.name == "adaptive" and b.state not in own]
    return [
        f"{place}.state: there is no file {state!r}, so the {place} decides as if nothing had been learned; "
        "`capability-router train LOG... -o FILE` makes one"
        for place, state in named
        if state and not os.path.exists(state)  # no error for a name that can't be: reading it tells
    ]


def _forgetful(settings: Settings) -> list[str]:
    """What a Redis store does not keep."""
    if settings.ledger.store or settings.store.startswith(("memory", "sqlite")):
        return []
    return [
        f"store: {settings.store.partition('://')[0]} does not keep the ledger, whose totals are this process's own; "
        "for all processes, and for longer: `ledger: {store: sqlite:///ledger.db}`"
    ]


def _unread(settings: Settings, registry: Registry) -> list[str]:
    """What is asked for where something is found, and no model gives."""
    if settings.screen is None:
        return []
    lost = [] if settings.screen.builtin else [name for name in settings.screen.labels if LabelRules.builtin(name)]
    found = [
        f"screen: nothing looks for {name!r}, unless a function of yours does: add {BUILTIN} to the detector"
        for name in lost
    ]
    for label, demand in (settings.screen.labels or {ANY: CAREFUL}).items():
        asked = NarrowedTerms(Routing(), registry.matches)
        asked.add(label, demand)
        denied = frozenset(id for name in asked.terms.deny for id in registry.matches(name))
        ask = EligibilityQuery(Request((), routing=asked.terms), 0, 0, None, frozenset(asked.terms.allow), denied)
        if demand.terms and registry.cards and not screen(ask, registry.cards).cards:
            found.append(
                f"screen: no model gives what {label!r} asks for ({asked.told()}), so requests in which it is found "
                "are refused; state `data` and `tags` on the entries of models that do"
            )
    return found


def _idle(words: RouterYaml) -> list[str]:
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


def about_prices(settings: Settings, cards: Iterable[ModelCard]) -> list[str]:
    """A cap can't hold for a model whose price is unknown, nor can an average.

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
    """A cap reserves much for a model whose longest answer no source states."""
    own = f"tag:{EVALUATION_TAG}"
    caps = [s for s in settings.budgets if s.on_exceed != "warn" and s.limit_usd and s.scope != own]
    found = []
    for entry in registry if caps else ():
        tokens = unlimited(entry.card)
        most = None if entry.card.output_limit or not entry.card.price else entry.card.price.worst(0, tokens)
        if most and any(_covers(spec, entry, registry) for spec in caps):
            found.append(
                f"{entry.card.id} has no known output limit, so each call without max_tokens reserves {tokens:,} "
                f"output tokens ({exact(usd(most))}) of the budgets; set max_output_tokens or output_reserve on its "
                "entry"
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
        for model in rule.names
    ]
    labels = settings.screen.labels if settings.screen else {}
    named += [
        (f"screen.labels.{label}.{term}", model)
        for label, demand in labels.items()
        for term in ("allow", "deny")
        for model in demand.terms.get(term, ())
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


def _rules(block: PolicyBlock | None) -> Sequence[RuleSpec]:
    return block.specs() if block else ()


def _stranger(where: str, name: str, known: Iterable[str]) -> str:
    return f"{where} names {name!r}, which is not registered{nearest(name, known)}"
