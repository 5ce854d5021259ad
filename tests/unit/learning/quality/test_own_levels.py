"""Each tenant's own level of a model."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np

from capability_router.learning.quality import own_levels
from capability_router.learning.quality.own_levels import LEAST, MOST, SHARED_COUNTS, OwnLevels, sums_of


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
    levels.fitting()
    levels.settle(sums_of(["a", "a", "a", ""], ["m", "n"], beyond), {"m"})
    assert levels.known["a"]["m"] == pytest.approx((0.2 * 0.995 + 0.4, 1.995))
    assert "n" not in levels.known["a"], "it has changed: the fit lacks its newest scores"
    assert levels.known["b"]["m"][1] > 9.0
    assert set(levels.known) == {"a", "b"}


def test_what_is_scored_while_a_fit_runs_counts_after_it() -> None:
    levels = scored(OwnLevels(), "a", 1.0, 5)
    levels.fitting()
    scored(levels, "a", 0.0, 2)
    levels.settle({("a", "m"): (5.0, 5.0)}, {"m"})
    assert levels.known["a"]["m"] == pytest.approx((5.0, 7.0), abs=0.1)
    levels.fitting()
    levels.settle({("a", "m"): (5.0, 5.0)}, {"m"})
    assert levels.known["a"]["m"] == (5.0, 5.0), "but once"


def test_no_score_is_beyond_what_scores_can_be() -> None:
    """A fit may predict more of a request than any score, and a state with such sums would be refused."""
    levels = OwnLevels()
    levels.learn("a", "m", -1.3)
    levels.learn("b", "m", 2.4)
    assert (levels.known["a"]["m"], levels.known["b"]["m"]) == ((LEAST, 1.0), (MOST, 1.0))
    assert sums_of(["a"], ["m"], np.array([[-1.3]])) == {("a", "m"): (LEAST, 1.0)}


def test_who_scored_last_is_kept_by_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_levels, "_TENANTS", 2)
    levels, whose = OwnLevels(), ["busy", "b", "c", "busy"]
    levels.fitting()
    levels.settle(sums_of(whose, ["m"], np.ones((4, 1))), {"m"})
    assert list(levels.known) == ["c", "busy"]


def test_only_the_tenants_that_scored_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_levels, "_TENANTS", 3)
    levels = OwnLevels()
    for whose in "abcad":
        levels.learn(whose, "m", 1.0)
    assert list(levels.known) == ["c", "a", "d"]
