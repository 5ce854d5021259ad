"""capability-router: one routing core under a LangChain chat model and a LlamaIndex LLM.

Importing it loads the standard library and `routing(...)`; everything else is loaded at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capability_router.routing import Routing, current_routing, routing  # now: later, `routing` would be the module

if TYPE_CHECKING:
    from capability_router.catalog.card import ModelCard
    from capability_router.catalog.registry import Registry
    from capability_router.eligibility import Refusal
    from capability_router.errors import (
        AllCandidatesFailed,
        BudgetExceeded,
        ConfigError,
        NoEligibleModel,
        RouterBusy,
        RouterError,
        StoreError,
        StreamInterrupted,
    )
    from capability_router.evaluation.answer import Answer
    from capability_router.money.budget.denial import BudgetEvent
    from capability_router.money.price import Price, Tier
    from capability_router.plan import Candidate, Plan
    from capability_router.request import Need, Outcome, Reply, Request, Usage
    from capability_router.router import Router

__all__ = [
    "AllCandidatesFailed", "Answer", "BudgetEvent", "BudgetExceeded", "Candidate", "ConfigError", "ModelCard", "Need",
    "NoEligibleModel", "Outcome", "Plan", "Price", "Refusal", "Registry", "Reply", "Request", "Router", "RouterBusy",
    "RouterError", "Routing", "StoreError", "StreamInterrupted", "Tier", "Usage", "current_routing", "routing",
]  # fmt: skip

_HOMES = {
    "Answer": "evaluation.answer", "BudgetEvent": "money.budget.denial", "Candidate": "plan", "Plan": "plan",
    "ModelCard": "catalog.card", "Registry": "catalog.registry", "Price": "money.price", "Tier": "money.price",
    "Need": "request", "Outcome": "request", "Reply": "request", "Request": "request", "Usage": "request",
    "Refusal": "eligibility", "Router": "router",
}  # fmt: skip
"""Where the names are that are loaded at first use; those not named here are errors."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("capability-router")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"capability_router.{_HOMES.get(name, 'errors')}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
