"""Hedging: a second attempt elsewhere while the first is silent for longer than its model usually is.

Off unless asked for. A hedge pays the prompt twice, so hedges draw on a budget of their own: a share of
the requests, with nothing to start from.
"""

from __future__ import annotations

from typing import Protocol

from capability_router.execution.retry import RetryBudget

_LEAST_S = 0.001
_SAVED = 10.0  # hedges that quiet times may save up


class Silence(Protocol):
    """Seconds for which a model is usually silent, in nearly all calls; None = unknown."""

    def __call__(self, id: str, /, *, streamed: bool) -> float | None: ...


class Hedging:
    """When to hedge. `after_s`: seconds of silence, None = the model's own 95th percentile, `p95(id, streamed)`."""

    def __init__(self, after_s: float | None, extra: float, p95: Silence) -> None:
        self._after_s, self._p95 = after_s, p95
        self._budget = RetryBudget(extra, floor=0, cap=_SAVED)
        self.earn, self.spend = self._budget.earn, self._budget.spend

    def delay_s(self, id: str, *, streamed: bool) -> float | None:
        """Seconds of silence after which an attempt on this model is hedged; None = too little is known of it."""
        delay = self._p95(id, streamed=streamed) if self._after_s is None else self._after_s
        return None if delay is None else max(delay, _LEAST_S)

    def __repr__(self) -> str:
        return f"<Hedging {self._budget!r}>"
