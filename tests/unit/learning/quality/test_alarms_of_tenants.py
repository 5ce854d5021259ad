"""A run of scores shows that a model has changed: one tenant among several can not show it alone."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.learning.quality.levels import STORED, Level


def settled(scores: int = 200) -> Level:
    """A model that is right in three of four answers."""
    level = Level()
    for number in range(scores):
        learned(level, float(number % 4 > 0), "a")
    assert not level.alarms
    return level


def learned(level: Level, score: float, whose: str, leads: Callable[[], bool] = lambda: True) -> bool:
    return level.learn(score, score - level.mean if level.count else 0.0, 1.0, whose, leads)


def test_one_of_several_raises_none_alone_and_moves_the_level_by_its_scores() -> None:
    level = settled()
    before = level.mean
    assert not any(learned(level, 0.0, "b", lambda: False) for _ in range(100))
    assert before / 2 < level.mean < before, "a third of the scores"
    assert 9.0 <= level.below <= 12.0


def test_two_together_do_and_so_does_who_gave_most_scores() -> None:
    level = settled()
    alarms = [learned(level, 0.0, "bc"[number % 2], lambda: False) for number in range(40)]
    assert any(alarms)
    level = settled()
    assert any(learned(level, 0.0, "a") for _ in range(20))
    level = settled()
    assert any(learned(level, 0.0, "") for _ in range(20)), "nobody's scores are those of a router without tenants"


def test_after_an_alarm_every_tenants_run_begins_anew() -> None:
    level = settled()
    while not learned(level, 0.0, "bc"[level.alarms % 2], lambda: True):
        pass
    assert (level.runs, level.below) == ({}, 0.0)
    assert not any(learned(level, 0.0, "b", lambda: False) for _ in range(100))


def test_runs_are_not_stored_and_few_are_kept() -> None:
    level = settled()
    for number in range(3_000):
        learned(level, 0.0, f"t{number}", lambda: True)
    assert len(level.runs) <= 1_000
    assert set(level.to_dict()) == set(STORED)
    assert Level(**level.to_dict()) == level
