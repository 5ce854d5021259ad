"""Curves of routing against values worked out by hand, and against the evaluator where it is."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="curves are numpy's (the extra `learn`)")

import numpy as np

from capability_router.learning.comparison import curves

SHARED = Path(os.environ.get("ROUTING_SHARED", Path(__file__).parents[4].parent / "shared"))


def even(size: int) -> np.ndarray:
    return np.full(size, 1.0 / size)


def test_a_signal_that_tells_nothing_is_chance() -> None:
    kept = curves.pgr_curve(np.zeros(10), np.array([1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), even(10))
    assert curves.average_pgr(kept) == pytest.approx(0.5)
    assert (
        curves.call_performance_threshold(kept, 0.5),
        curves.call_performance_threshold(kept, 0.8),
    ) == pytest.approx((0.5, 0.8))


def test_a_signal_that_knows_keeps_the_lead_at_the_share_that_needs_it() -> None:
    lead = np.array([1.0, 1.0, *[0.0] * 8])
    kept = curves.pgr_curve(lead, lead, even(10))
    assert kept == pytest.approx([0.0, 0.5, *[1.0] * 9])
    assert (curves.average_pgr(kept), curves.call_performance_threshold(kept, 0.5)) == pytest.approx((0.9, 0.1))


def test_weights_are_rows_drawn_more_than_once() -> None:
    dice = np.random.default_rng(1)
    signal, lead, times = dice.normal(size=40), dice.normal(0.3, 1.0, 40), dice.integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), times)
    drawn = curves.pgr_curve(signal[repeated], lead[repeated], even(len(repeated)))
    assert curves.pgr_curve(signal, lead, times / times.sum()) == pytest.approx(drawn)


def test_without_a_lead_there_is_no_figure() -> None:
    kept = curves.pgr_curve(np.arange(4.0), np.zeros(4), even(4))
    assert np.isnan([curves.average_pgr(kept), curves.call_performance_threshold(kept, 0.5)]).all()


def test_a_lead_that_is_only_rounding_is_none() -> None:
    lead, weights = np.array([1.0, 1.0, -1.0, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    assert lead @ weights > 0.0  # 6e-17, by which a figure would be in the billions
    assert np.isnan(curves.average_pgr(curves.pgr_curve(np.arange(4.0), lead, weights)))
    small = curves.pgr_curve(np.arange(4.0), np.array([1e-9, 1e-9, 0.0, 0.0]), weights)
    assert not np.isnan(small).any()


def test_the_hull_leaves_out_what_mixing_beats() -> None:
    usd, score = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1.0]), np.array([0.2, 0.3, 0.8, 0.7, 0.9, 0.1])
    assert curves.hull(usd, score).tolist() == [[1.0, 0.2], [3.0, 0.8], [5.0, 0.9]]
    assert curves.usd_for(curves.hull(usd, score), 0.5) == pytest.approx(2.0)
    assert curves.usd_for(curves.hull(usd, score), 0.95) == float("inf")


def test_miscalibration_is_the_distance_in_bins() -> None:
    quality, score = np.array([0.81, 0.89, 0.11, 0.19]), np.array([1.0, 0.0, 0.0, 0.0])
    assert curves.miscalibration(quality, score, even(4)) == pytest.approx((0.35 + 0.15) / 2)


@pytest.mark.skipif(not (SHARED / "eval").is_dir(), reason=f"NOT COMPARED: no evaluators in {SHARED}/eval")
def test_the_evaluator_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHARED / "eval"))
    monkeypatch.delitem(sys.modules, "routing_quality", raising=False)
    judge, dice = import_module("routing_quality"), np.random.default_rng(3)
    weak, signal = (dice.random(500) < 0.6).astype(float), np.round(dice.normal(size=500), 1)
    strong = (dice.random(500) < 0.7 + 0.2 * (signal > 0)).astype(float)
    found = judge.pair_metrics(signal, weak, strong)
    kept = curves.pgr_curve(signal, strong - weak, even(500))
    ours = (
        curves.average_pgr(kept),
        curves.call_performance_threshold(kept, 0.5),
        curves.call_performance_threshold(kept, 0.8),
    )
    assert ours == pytest.approx((found["APGR"], found["CPT50"], found["CPT80"]))
    points = dice.random((50, 2))
    assert curves.hull(points[:, 0], points[:, 1]) == pytest.approx(judge.hull(points))
