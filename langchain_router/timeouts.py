"""What an attempt tells the built-in client, its timeouts, and what that tells it: its exchange.

Context variables and not call keywords, because keywords are part of cache keys and of every trace.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from capability_router.execution.effects import Timeouts

EXCHANGES: ContextVar[list[Any] | None] = ContextVar("langchain_router_exchanges", default=None)
TIMEOUTS: ContextVar[Timeouts | None] = ContextVar("langchain_router_timeouts", default=None)
