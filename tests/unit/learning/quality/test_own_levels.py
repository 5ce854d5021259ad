"""Each tenant's own level of a model."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np

from capability_router.learning.quality import own_levels
from capability_router.learning.quality.own_levels import SHARED_COUNTS, OwnLevels


def scored(levels: OwnLevels, whose: str, score: float, count: int) -> OwnLevels:
    for _ in range(count):
        levels.learn(whose, "m", score)
    return levels


def test_the_more_a_tenant_has_scored_the_less_the_shared_level_counts() -> None:
    levels = scored(scored(OwnLevels(), "other", 0.0, 50), "own", 1.0, 20)
    half = levels.level("own", "m", 0.0)
    assert half == pytest.approx(0.5, abs=0.03), f"the shared level counts as {SHARED_COUNTS} scores"
    assert 0.85 < scored(levels, "own", 1.0, 180).level("own", "m", 0.0) < 0.95
    assert levels.level("own", "another model", 0.4) == 0.4
    assert levels.level("a third", "m", 0.4) == 0.4


def test_one_tenant_alone_has_the_shared_level_and_nobodys_scores_are_not_kept() -> None:
    levels = scored(OwnLevels(), "own", 1.0, 50)
    assert levels.level("own", "m", 0.3) == 0.3
    scored(levels, "", 1.0, 50)
    assert (list(levels.known), levels.level("own", "m", 0.3)) == (["own"], 0.3)


def test_old_scores_fade() -> None:
    levels = scored(scored(OwnLevels(), "other", 0.0, 1), "own", 0.0, 500)
    assert scored(levels, "own", 1.0, 500).level("own", "m", 0.0) > 0.8


def test_a_changed_model_is_doubted_by_all() -> None:
    levels = scored(scored(OwnLevels(), "a", 1.0, 100), "b", 1.0, 4)
    levels.doubt("m", 10.0)
    assert levels.level("a", "m", 0.0) == pytest.approx(10 / 30)
    assert levels.level("b", "m", 0.0) == pytest.approx(4 / 24, abs=0.01), "who has fewer keeps them"
    levels.doubt("unknown", 10.0)


def test_a_fit_sets_what_it_saw_and_leaves_the_rest() -> None:
    levels = scored(scored(OwnLevels(), "a", 1.0, 100), "b", 1.0, 10)
    nan = np.nan
    beyond = np.array([[0.2, nan], [0.4, 0.9], [nan, nan], [0.5, 0.1]], np.float32)
    levels.settle(["a", "a", "a", ""], ["m", "n"], beyond)
    assert levels.known["a"]["m"] == pytest.approx((0.2 * 0.995 + 0.4, 1.995))
    assert levels.known["a"]["n"] == pytest.approx((0.9, 1.0))
    assert levels.known["b"]["m"][1] > 9.0
    assert set(levels.known) == {"a", "b"}


def test_only_the_tenants_that_scored_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_levels, "_TENANTS", 3)
    levels = OwnLevels()
    for whose in "abcad":
        levels.learn(whose, "m", 1.0)
    assert list(levels.known) == ["c", "a", "d"]
