"""What each model's answers cost, as logged bills show: USD per token of the prompt and of the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capability_router.learning.logs.scored_request import ScoredAnswer

_LEAST, _LEAST_PART = 30, 0.02  # bills; of the mean one, that any comes to


class CostEstimator:
    """Of one model. NaN for everything where no cost was logged; the mean cost where few were logged."""

    def __init__(self, sizes: Sequence[float], answers: Sequence[ScoredAnswer]) -> None:
        usd = np.array([np.nan if a.cost_usd is None else a.cost_usd for a in answers])
        size, out = np.array(sizes), np.array([np.nan if a.tokens is None else a.tokens for a in answers])
        known = ~np.isnan(usd)
        self._mean = float(usd[known].mean()) if known.any() else float("nan")
        counted = known & ~np.isnan(out)
        self._usual = float(out[counted].mean()) if counted.sum() >= _LEAST else 1.0
        if counted.sum() < _LEAST:  # the second price is then that of an answer
            counted, out = known, np.ones(len(usd))
        self._prices: tuple[float, float] | None = None
        if counted.sum() >= _LEAST:
            columns = np.column_stack((size[counted], out[counted]))
            each, answer = np.linalg.lstsq(columns, usd[counted], rcond=None)[0].tolist()
            self._prices = (each, answer)  # where all answers are alike the second one also mends the estimated sizes

    def usd(self, size: float, tokens: float) -> float:
        """Of a prompt of so many tokens and an answer of so many (NaN = as long as usual)."""
        if self._prices is None:
            return self._mean
        long = self._usual if tokens != tokens or self._usual == 1.0 else tokens
        return max(self._prices[0] * size + self._prices[1] * long, _LEAST_PART * self._mean)
