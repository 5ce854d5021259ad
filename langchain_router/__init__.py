"""capability-router for LangChain: `ChatRouter`, a BaseChatModel that routes every call.

Everything is loaded at first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from capability_router.money.budget.denial import BudgetEvent
    from capability_router.routing import routing
    from langchain_router.callback import RouterCallbackHandler, router_costs
    from langchain_router.chat_model import ChatRouter
    from langchain_router.endpoint import ChatEndpoint

__all__ = [
    "AllCandidatesFailed",
    "BudgetEvent",
    "BudgetExceeded",
    "ChatEndpoint",
    "ChatRouter",
    "ConfigError",
    "NoEligibleModel",
    "RouterBusy",
    "RouterCallbackHandler",
    "RouterError",
    "StoreError",
    "StreamInterrupted",
    "router_costs",
    "routing",
]

_HOMES = {
    "ChatRouter": "langchain_router.chat_model",
    "ChatEndpoint": "langchain_router.endpoint",
    "RouterCallbackHandler": "langchain_router.callback",
    "router_costs": "langchain_router.callback",
    "BudgetEvent": "capability_router.money.budget.denial",
    "routing": "capability_router.routing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "capability_router.errors")), name)


def __dir__() -> list[str]:
    return __all__
