"""The timeouts of the current attempt.

A context variable and not a call keyword, because keywords are part of cache keys and of every trace.
"""

from __future__ import annotations

from contextvars import ContextVar

from capability_router.execution.effects import Timeouts

TIMEOUTS: ContextVar[Timeouts | None] = ContextVar("langchain_router_timeouts", default=None)
