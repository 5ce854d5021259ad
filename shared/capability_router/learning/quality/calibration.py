"""Corrects predictions by real scores: a rising line through the observed pairs, the same for every model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST = 500  # with fewer outcomes predictions are not corrected
_BINS, _SHRINK = 15, 20.0  # each bin also gets this many outcomes that agree with the prediction
_LEAST_SLOPE = 0.05  # different predictions stay different, so the better one stays better


@dataclass(frozen=True)
class Calibration:
    """Knots of a line: predicted -> real. Without knots it changes nothing."""

    predicted: tuple[float, ...] = ()
    realised: tuple[float, ...] = ()

    def of(self, quality: Values) -> Values:
        """The predictions, corrected and limited to 0 to 1."""
        if self.predicted:
            ends = quality - np.clip(quality, self.predicted[0], self.predicted[-1])
            quality = np.interp(quality, self.predicted, self.realised) + ends
        return np.clip(quality, 0.0, 1.0)


def calibrated(predicted: Values, realised: Values) -> Calibration:
    """From flat arrays of predictions and of outcomes that they were not fitted on."""
    if len(predicted) < LEAST:
        return Calibration()
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, _BINS)
    x = np.array([predicted[part].mean() for part in bins])
    y = np.array([(realised[part].sum() + _SHRINK * predicted[part].mean()) / (len(part) + _SHRINK) for part in bins])
    kept = np.concatenate(([True], np.diff(x) > 1e-4))
    x, y = x[kept], _isotonic(y[kept] - _LEAST_SLOPE * x[kept]) + _LEAST_SLOPE * x[kept]
    return Calibration(tuple(x.tolist()), tuple(y.tolist()))


def _isotonic(values: Values) -> Values:
    """The closest sequence that never falls: neighbours out of order get their mean."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    return np.concatenate([np.full(count, total / count) for total, count in blocks])
