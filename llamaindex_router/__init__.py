"""capability-router for LlamaIndex: RouterLLM is an LLM that query engines, chat engines and agents accept."""

from capability_router.money.budget.denial import BudgetEvent
from capability_router.routing import routing
from llamaindex_router.endpoint_llm import EndpointLLM
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
