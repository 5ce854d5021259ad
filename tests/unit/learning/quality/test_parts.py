"""The parts of the learned model, each by itself."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router.learning.quality.blend import blend
from capability_router.learning.quality.calibration import LEAST, Calibration, calibrated
from capability_router.learning.quality.decomposition import parted, slopes, split
from capability_router.learning.quality.exploration_bonus import exploration_bonus
from capability_router.learning.quality.fit import TrainingTable, fitted
from capability_router.learning.quality.levels import Level
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.ridge import LIGHT, PENALTY, best_ridge_fit, line
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG


def test_unseen_rows_are_foretold_by_the_others_whichever_way_it_is_solved() -> None:
    dice = np.random.default_rng(1)
    true = dice.normal(size=(40, 2)).astype(np.float32)
    for rows in (30, 400):  # fewer and more than features
        x = dice.normal(size=(rows, 40)).astype(np.float32)
        y = (x @ true).astype(np.float32)
        parts = np.arange(rows) % 3
        found = line(x, y, parts)
        for part in range(3):
            alone = line(x[parts != part], y[parts != part], np.zeros((parts != part).sum(), np.intp))
            assert found.unseen[parts == part] == pytest.approx(x[parts == part] @ alone.weights, abs=1e-2)


@pytest.mark.parametrize("rows", [30, 400])  # fewer and more than features
def test_what_is_shared_has_the_light_penalty_where_that_foretells_better(rows: int) -> None:
    dice = np.random.default_rng(6)
    x = dice.normal(size=(rows, 40)).astype(np.float32) / 4
    told, noise = x @ dice.normal(size=(40, 1)), 9 * dice.normal(size=(rows, 1))
    y, parts = np.hstack((told, noise, told)).astype(np.float32), np.arange(rows) % 3
    found, plain = best_ridge_fit(x, y, parts, np.array([True, True, False])), line(x, y, parts)
    assert found.weights[:, 1:] == pytest.approx(plain.weights[:, 1:], abs=1e-4)
    wrong = [float(np.square(each.unseen[:, 0] - y[:, 0]).sum()) for each in (found, plain)]
    assert wrong[0] < 0.9 * wrong[1]
    assert found.weights[:, 0] == pytest.approx(_ridge(x, y[:, 0], LIGHT), abs=1e-3)
    assert plain.weights[:, 0] == pytest.approx(_ridge(x, y[:, 0], PENALTY), abs=1e-3)


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """By the textbook, in double precision."""
    wide = x.astype(np.float64)
    return np.linalg.inv(wide.T @ wide + penalty * np.eye(x.shape[1])) @ wide.T @ y


def test_scores_fall_into_levels_what_is_shared_and_what_is_own() -> None:
    scores = np.array([[0.9, 0.5], [0.5, 0.3]], np.float32)
    found = split(scores)
    assert found.levels == pytest.approx([0.7, 0.4])
    assert found.levels + found.shared + found.own == pytest.approx(scores, abs=1e-6)


def test_where_one_model_was_asked_what_was_foreseen_of_the_request_is_not_held_against_it() -> None:
    scores = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, 1.0], [np.nan, 0.0]], np.float32)
    foreseen = np.array([[0.5], [-0.5], [0.5], [-0.5]], np.float32)
    assert parted(scores, split(scores).levels, foreseen).own == pytest.approx(np.zeros((4, 2)), abs=1e-6)
    assert np.abs(split(scores).own).max() == pytest.approx(0.5)


def test_a_model_that_suffers_more_has_a_steeper_slope() -> None:
    foreseen = np.linspace(-0.4, 0.4, 1_000, dtype=np.float32)[:, None]
    scores = (0.5 + foreseen * np.array([[0.5, 1.5]])).astype(np.float32)
    found = slopes(scores, np.array([0.5, 0.5], np.float32), foreseen)
    assert 0.5 < found[0] < 0.75 < 1.25 < found[1] < 1.5


def test_a_slope_that_may_be_chance_is_hardly_one() -> None:
    dice = np.random.default_rng(4)
    foreseen = dice.normal(size=(60, 1)).astype(np.float32) * 0.15
    scores = (dice.random((60, 400)) < 0.6 + foreseen).astype(np.float32)  # all suffer alike
    found = slopes(scores, scores.mean(0), foreseen)
    assert float(np.abs(found - 1.0).mean()) < 0.05
    assert float((found == 1.0).mean()) > 0.6


@pytest.mark.parametrize("rows", [600, 3_000])  # fewer and more than features
def test_who_was_asked_the_hard_requests_is_not_thought_the_worse(rows: int) -> None:
    dice = np.random.default_rng(5)
    hard = dice.random(rows) < 0.5
    to_second = dice.random(rows) < np.where(hard, 0.9, 0.1)
    score = (dice.random(rows) < np.where(hard, 0.35, 0.85)).astype(np.float32)  # both models alike
    scores = np.where(np.stack((~to_second, to_second), 1), score[:, None], np.nan).astype(np.float32)
    bags = np.zeros((rows, BAG), np.float32)
    bags[np.arange(rows), hard.astype(int)] = 1.0
    bags[np.arange(rows), 2 + dice.integers(0, 200, rows)] = 0.5
    surfaces = np.zeros((rows, SIZE), np.float32)
    levels = fitted(TrainingTable(bags, surfaces, scores, np.full_like(scores, np.nan), np.arange(rows) % 3)).fit.levels
    assert float(np.nanmean(scores[:, 0]) - np.nanmean(scores[:, 1])) > 0.3
    assert abs(float(levels[0] - levels[1])) < 0.08


def test_directions_in_which_nothing_is_foretold_are_dropped_and_others_kept() -> None:
    dice = np.random.default_rng(2)
    real = dice.normal(size=(2_000, 1)) * np.array([[1.0, -1.0, 0.0, 0.0]])
    chance = dice.normal(size=(2_000, 1)) * np.array([[0.0, 0.0, 1.0, -1.0]])
    scores = (0.5 + 0.1 * real + 0.1 * dice.normal(size=(2_000, 4))).astype(np.float32)
    guess = np.hstack((np.zeros((2_000, 1)), 0.1 * real + 0.05 * chance)).astype(np.float32)
    found = blend((guess,), split(scores)).apply((guess,))[:, 1:]
    kept, dropped = (found[:, i] - found[:, i + 1] for i in (0, 2))
    told, chatter = (guess[:, i + 1] - guess[:, i + 2] for i in (0, 2))
    assert float(kept @ told) > 0.3 * float(told @ told)
    assert float(np.abs(dropped).mean()) < 0.05 * float(np.abs(chatter).mean())


@pytest.mark.parametrize("adds", [True, False])
def test_the_last_source_has_to_add_something(adds: bool) -> None:
    dice = np.random.default_rng(7)
    first, last = dice.normal(size=(2, 300, 3)).astype(np.float32) * 0.1
    scores = (0.5 + first + (last if adds else 0.0) + 0.3 * dice.normal(size=(300, 3))).astype(np.float32)
    found, true = [np.hstack((each.mean(1, keepdims=True), each)) for each in (first, first, last)], split(scores)
    for source in found:
        source[:, 1:] -= source[:, :1]
    weights = blend(found, true)
    assert (weights.shared[2] > 0.5) == adds
    assert bool(np.abs(weights.own[2]).max() > 0.3) == adds
    assert weights.shared[:2].sum() > 0.7


@given(st.integers(0, 2**32), st.floats(0.2, 3.0), st.floats(-0.3, 0.3))
@settings(max_examples=40, deadline=None)
def test_calibration_never_turns_two_predictions_round(seed: int, slope: float, shift: float) -> None:
    dice = np.random.default_rng(seed)
    predicted = dice.random(LEAST + seed % 50)
    realised = (dice.random(len(predicted)) < slope * predicted + shift).astype(float)
    found = calibrated(predicted, realised).of(np.linspace(0.02, 0.98, 200))
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_models_that_nearly_always_fail_or_succeed_are_told_apart() -> None:
    found = Calibration().of(np.array([-0.1, 0.001, 0.008, 0.992, 0.999, 1.1]))
    assert found == pytest.approx([0.0, 0.001, 0.008, 0.992, 0.999, 1.0])


def test_overconfident_predictions_are_drawn_in() -> None:
    dice = np.random.default_rng(3)
    true = dice.uniform(0.3, 0.7, 4_000)
    shown = 0.5 + 2.0 * (true - 0.5)
    found = calibrated(shown, (dice.random(4_000) < true).astype(float)).of(np.array([0.15, 0.85]))
    assert found == pytest.approx([0.325, 0.675], abs=0.08)


@pytest.mark.parametrize("seed", range(5))
def test_steady_scores_raise_no_alarm_in_a_thousand_and_a_fall_raises_one_soon(seed: int) -> None:
    dice, level = random.Random(seed), Level()
    assert not any(_scored(level, dice, 0.8) for _ in range(1_000))
    waited = next(n for n in range(300) if _scored(level, dice, 0.5))
    assert waited < 150
    assert level.mean < 0.8


def _scored(level: Level, dice: random.Random, chance: float) -> bool:
    score = float(dice.random() < chance)
    return level.learn(score, score - level.mean if level.count else 0.0)


def test_hope_leaves_what_is_well_known_and_grows_for_who_was_left() -> None:
    assert exploration_bonus(0.001**2, 5_000) == 0.0
    assert exploration_bonus(0.05**2, 5_000) > exploration_bonus(0.05**2, 500) > 0.05
    assert exploration_bonus(0.2 / 400, 398) == 0.0, "nearly all requests went to it"


def test_hope_falls_faster_than_the_error() -> None:
    assert exploration_bonus(0.02**2, 5_000) < 0.9 * exploration_bonus(0.04**2, 5_000) / 2


def test_who_has_changed_may_have_changed_again() -> None:
    levels = {
        name: Level(320.0, 400.0, changed=changed, seen=400) for name, changed in (("steady", 0), ("fickle", 150))
    }
    errors = np.full(3, 0.05)
    at_once, later = (
        QualityModel(levels=levels, scored=n).bonuses(["steady", "fickle", "new"], errors) for n in (400, 1_400)
    )
    assert at_once == pytest.approx([at_once[0]] * 3)
    assert later[0] == later[2] < 1.5 * at_once[0]
    assert later[1] > 4 * later[0]


def test_a_better_model_is_found_that_was_unlucky_at_first() -> None:
    """Of the better of two, who is right in seven of ten, two answers of six were; of the other one 40 of 80."""
    dice, right, count = np.random.default_rng(4), np.array([2.0, 40.0]), np.array([6.0, 80.0])
    for scored in range(86, 1_500):
        mean = (3.0 + right) / (5.0 + count)
        bonuses = [exploration_bonus(0.2 / (5.0 + number), scored) for number in count]
        pick = int((mean + bonuses).argmax())
        right[pick] += dice.random() < (0.7, 0.5)[pick]
        count[pick] += 1
    assert count[0] > 800


def test_a_level_that_nobody_looks_at_grows_stale_and_one_score_does_not_show_that_all_is_as_before() -> None:
    level = Level(seen=100)
    assert level.unseen(100) == 0.0
    stale = level.unseen(1_100)
    assert stale**0.5 == pytest.approx(0.55, abs=0.01)
    level.told(1_100)
    assert 0.85 * stale < level.unseen(1_100) < 0.95 * stale
    for number in range(40):
        level.told(1_100 + number)
    assert level.unseen(1_140) < 0.03 * stale
    assert level.unseen(50) == 0.0, "another state's numbers make nothing young"
