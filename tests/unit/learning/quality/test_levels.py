"""A run of scores shows a change: of a model that is nearly always good one bad answer is none."""

from __future__ import annotations

from random import Random

import pytest

from capability_router.learning.quality.levels import Level


def learned(level: Level, score: float) -> bool:
    return level.learn(score, score - level.mean if level.count else 0.0)


@pytest.mark.parametrize("good", [0.0, 1.0])
def test_one_other_score_after_many_alike_is_no_change(good: float) -> None:
    level = Level()
    assert not any(learned(level, good) for _ in range(450))
    count = level.count
    assert not learned(level, 1.0 - good)
    assert level.count > 0.99 * count


@pytest.mark.parametrize("chance", [0.02, 0.9, 0.97, 0.99, 0.995])
def test_models_that_stay_as_they_are_raise_hardly_any_alarm(chance: float) -> None:
    alarms = 0
    for seed in range(10):
        level, dice = Level(), Random(seed)
        alarms += sum(learned(level, float(dice.random() < chance)) for _ in range(2_000))
    assert alarms <= 3


@pytest.mark.parametrize(("before", "after", "within"), [(0.99, 0.5, 25), (0.99, 0.8, 70), (0.9, 0.5, 45)])
def test_a_very_good_model_that_falls_is_noticed_soon(before: float, after: float, within: int) -> None:
    noticed = 0
    for seed in range(20):
        level, dice = Level(), Random(seed)
        for _ in range(500):
            learned(level, float(dice.random() < before))
        noticed += any(learned(level, float(dice.random() < after)) for _ in range(within))
    assert noticed >= 18
