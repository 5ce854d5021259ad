"""capability-router: one routing core under a LangChain chat model and a LlamaIndex LLM.

Importing it loads the standard library only; what needs pydantic, httpx or PyYAML loads it at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capability_router.catalog.card import ModelCard
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
from capability_router.money.price import Price, Tier
from capability_router.request import Need, Outcome, Reply, Request, Usage
from capability_router.routing import Routing, current_routing, routing

if TYPE_CHECKING:
    from capability_router.catalog.registry import Registry
    from capability_router.eligibility import Refusal
    from capability_router.evaluation.answer import Answer
    from capability_router.money.budget.denial import BudgetEvent
    from capability_router.plan import Candidate, Plan
    from capability_router.router import Router

_LAZY = {
    "Answer": "evaluation.answer", "BudgetEvent": "money.budget.denial", "Candidate": "plan", "Plan": "plan",
    "Refusal": "eligibility", "Registry": "catalog.registry", "Router": "router",
}  # fmt: skip

__all__ = [
    "AllCandidatesFailed", "Answer", "BudgetEvent", "BudgetExceeded", "Candidate", "ConfigError", "ModelCard", "Need",
    "NoEligibleModel", "Outcome", "Plan", "Price", "Refusal", "Registry", "Reply", "Request", "Router", "RouterBusy",
    "RouterError", "Routing", "StoreError", "StreamInterrupted", "Tier", "Usage", "current_routing", "routing",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"capability_router.{_LAZY[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("capability-router")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
