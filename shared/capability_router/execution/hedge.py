"""Hedging: a second attempt elsewhere while the first is silent for longer than is usual for an input of its size.

Off unless asked for. A hedge pays the prompt twice, so hedges draw on a budget of their own: a share of
the requests, with nothing to start from.
"""

from __future__ import annotations

from typing import Protocol

from capability_router.execution.retry import RetryBudget

_LEAST_S = 0.001
_SAVED = 10.0  # hedges that quiet times may save up


class Silence(Protocol):
    """Seconds for which nearly all calls with so many tokens of input are silent; None = unknown.

    Streams until their first content, `whole` replies until their end.
    """

    def __call__(self, id: str, tokens: int, /, *, whole: bool) -> float | None: ...


class Hedging:
    """When to hedge. `after_s`: seconds of silence, None = what is usual for the model and the size of the input."""

    def __init__(self, after_s: float | None, extra: float, usual: Silence) -> None:
        self._after_s, self._usual = after_s, usual
        self._budget = RetryBudget(extra, floor=0, cap=_SAVED)
        self.earn, self.spend = self._budget.earn, self._budget.spend

    def delay_s(self, id: str, tokens: int, *, whole: bool) -> float | None:
        """Seconds of silence after which an attempt on this model is hedged; None = too little is known of it."""
        delay = self._usual(id, tokens, whole=whole) if self._after_s is None else self._after_s
        return _LEAST_S if delay is not None and delay < _LEAST_S else delay

    def __repr__(self) -> str:
        return f"<Hedging {self._budget!r}>"
