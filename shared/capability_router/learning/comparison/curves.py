"""Curves of routing and the figures read from them. Every row has a weight, so that rows can be drawn anew.

- PGR: with a share of the requests given to the strong model, the part of its lead over the weak one that is kept.
  APGR is the mean over all shares (chance: 0.5); CPT the least share that keeps a given part of the lead.
- Hull: the best scores that can be had at each cost by mixing points. The hull of the single models is what routing
  reaches that never looks at a request.
"""

from __future__ import annotations

import numpy as np

from capability_router.learning.comparison.panel import Matrix

SHARES = np.linspace(0.0, 1.0, 11)
_STEPS = 501
_BINS = 10
_ROUNDING = 1e-12  # of what is added up: a smaller lead is none


def pgr_curve(signal: Matrix, lead: Matrix, weights: Matrix) -> Matrix:
    """PGR at SHARES. The highest signal goes to the strong model first, whose score is `lead` above the weak one's.

    Equal signals share what they gain. NaN where the strong one is not ahead.
    """
    whole = float(lead @ weights)
    if whole <= _ROUNDING * float(np.abs(lead) @ weights):
        return np.full(len(SHARES), np.nan)
    _, tied = np.unique(-signal, return_inverse=True)
    share = np.cumsum(np.bincount(tied, weights)) / weights.sum()
    gained = np.cumsum(np.bincount(tied, lead * weights)) / whole
    return np.asarray(np.interp(SHARES, np.append(0.0, share), np.append(0.0, gained)))


def average_pgr(kept: Matrix) -> float:
    """APGR."""
    return float(np.mean((kept[1:] + kept[:-1]) / 2.0))


def call_performance_threshold(kept: Matrix, part: float) -> float:
    """CPT: the least share that keeps this part of the lead."""
    if np.isnan(kept).any():
        return float("nan")
    reached = int(np.argmax(kept >= part)) if (kept >= part).any() else len(kept) - 1
    low, high = kept[reached - 1], kept[reached]
    within = (part - low) / (high - low) if high > low else 1.0
    return float(SHARES[reached - 1] + np.clip(within, 0.0, 1.0) * (SHARES[reached] - SHARES[reached - 1]))


def hull(usd: Matrix, score: Matrix) -> Matrix:
    """The corners (corners, 2: USD, score), in the order of cost, each dearer one better, the slopes falling."""
    corners: list[tuple[float, float]] = []
    for at in np.lexsort((-score, usd)):
        point = (float(usd[at]), float(score[at]))
        if corners and point[1] <= corners[-1][1]:
            continue
        while len(corners) > 1 and _slope(corners[-2], corners[-1]) <= _slope(corners[-1], point):
            corners.pop()
        corners.append(point)
    return np.array(corners)


def _slope(low: tuple[float, float], high: tuple[float, float]) -> float:
    return (high[1] - low[1]) / (high[0] - low[0]) if high[0] > low[0] else float("inf")


def mean_score(corners: Matrix, cheapest: float, dearest: float) -> float:
    """The mean score of a hull over the logarithm of cost; nothing below its cheapest corner.

    What is free counts as a thousandth of the dearest.
    """
    low = max(cheapest, dearest / 1_000.0, 1e-12)
    usd = np.geomspace(low, max(dearest, 1.0001 * low), _STEPS)
    return float(np.interp(usd, corners[:, 0], corners[:, 1], left=0.0).mean())


def usd_for(corners: Matrix, score: float) -> float:
    """The least cost at which a hull reaches a score; infinite where it never does."""
    if score > corners[-1, 1] + 1e-12:
        return float("inf")
    return float(np.interp(score, corners[:, 1], corners[:, 0]))


def miscalibration(quality: Matrix, score: Matrix, weights: Matrix) -> float:
    """ECE: how far predictions (flat) are from what came of them, on average over ten bins."""
    bins = np.minimum((quality * _BINS).astype(int), _BINS - 1)
    off = np.bincount(bins, weights * (quality - score), _BINS)
    return float(np.abs(off).sum() / weights.sum())
