"""Hedging: a second attempt on another target when the first is silent for longer than usual for its input size.

Off by default. A hedge pays for the prompt twice, so hedges have a budget of their own: a share of the requests,
starting from 0.
"""

from __future__ import annotations

from typing import Protocol

from capability_router.execution.retry import RetryBudget

_LEAST_S = 0.001
_SAVED = 10.0  # unused hedges that the budget may hold


class SilencePercentile(Protocol):
    """Seconds within which nearly all calls with this many input tokens answer; None = unknown.

    Measured to the first content of a stream, or to the end of a `whole` (unary) reply.
    """

    def __call__(self, id: str, tokens: int, /, *, whole: bool) -> float | None: ...


class Hedging:
    """When to hedge. `after_s`: seconds of silence; None = measured for the model and the input size."""

    def __init__(self, after_s: float | None, extra: float, usual: SilencePercentile) -> None:
        self._after_s, self._usual = after_s, usual
        self.budget = RetryBudget(extra, floor=0, cap=_SAVED)

    def delay_s(self, id: str, tokens: int, *, whole: bool) -> float | None:
        """Seconds of silence after which an attempt on this model is hedged; None = too few measurements."""
        delay = self._usual(id, tokens, whole=whole) if self._after_s is None else self._after_s
        return _LEAST_S if delay is not None and delay < _LEAST_S else delay

    def __repr__(self) -> str:
        return f"<Hedging {self.budget!r}>"
