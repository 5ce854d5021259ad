"""The clocks of the attempt in whose context a call is made.

A context variable and no call keyword: a keyword would be part of a cache's key and of every trace.
"""

from __future__ import annotations

from contextvars import ContextVar

from capability_router.execution.effects import Timeouts

TIMEOUTS: ContextVar[Timeouts | None] = ContextVar("langchain_router_timeouts", default=None)
