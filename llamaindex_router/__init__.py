"""capability-router for LlamaIndex: RouterLLM is an LLM that query engines, chat engines and agents accept.

Everything is loaded at first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capability_router.money.budget.denial import BudgetEvent
    from capability_router.routing import routing
    from llamaindex_router.endpoint import EndpointLLM
    from llamaindex_router.errors import (
        AllCandidatesFailed,
        BudgetExceeded,
        ConfigError,
        NoEligibleModel,
        RouterBusy,
        RouterError,
        StoreError,
        StreamInterrupted,
    )
    from llamaindex_router.event_handler import RouterEventHandler
    from llamaindex_router.llm import RouterLLM

__all__ = [
    "AllCandidatesFailed",
    "BudgetEvent",
    "BudgetExceeded",
    "ConfigError",
    "EndpointLLM",
    "NoEligibleModel",
    "RouterBusy",
    "RouterError",
    "RouterEventHandler",
    "RouterLLM",
    "StoreError",
    "StreamInterrupted",
    "routing",
]

_HOMES = {
    "RouterLLM": "llamaindex_router.llm",
    "EndpointLLM": "llamaindex_router.endpoint",
    "RouterEventHandler": "llamaindex_router.event_handler",
    "BudgetEvent": "capability_router.money.budget.denial",
    "routing": "capability_router.routing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "llamaindex_router.errors")), name)


def __dir__() -> list[str]:
    return __all__
