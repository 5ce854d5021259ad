"""Back-off in tenacity's words."""

from __future__ import annotations

import pytest
import tenacity

from capability_router.config import Settings


def waits(value, count=4):
    wait = Settings.from_keywords(retry={"wait": value}).retry.wait
    return [wait(n) for n in range(1, count + 1)]


def test_a_duration_is_a_fixed_wait():
    assert waits("250ms", 2) == [0.25, 0.25]
    assert waits(2, 1) == [2.0]
    assert waits(0, 2) == [0.0, 0.0]


def test_a_word_with_arguments():
    assert waits({"exponential": {"multiplier": "100ms", "max": 0.3}}) == pytest.approx([0.1, 0.2, 0.3, 0.3])
    assert waits({"exponential_jitter": {"initial": 1, "max": 3, "jitter": 0}}) == [1.0, 2.0, 3.0, 3.0]
    assert waits({"incrementing": {"start": 1, "increment": 2}}) == [1.0, 3.0, 5.0, 7.0]
    assert waits("none") == [0.0] * 4
    assert waits({"none": None}) == [0.0] * 4


def test_a_tenacity_object():
    assert waits(tenacity.wait_fixed(1) + tenacity.wait_exponential(multiplier=1)) == [2.0, 3.0, 5.0, 9.0]


def test_nonsense_of_a_strategy_counts_as_no_wait():
    assert waits(lambda state: -1.0, 1) == [0.0]
    assert waits(lambda state: float("nan"), 1) == [0.0]
    assert waits(lambda state: float("inf"), 1) == [0.0]


def test_the_default_is_full_jitter_up_to_eight_seconds():
    wait = Settings.from_keywords().retry.wait
    assert all(0.0 <= wait(n) <= min(0.5 * 2 ** (n - 1), 8.0) for n in range(1, 9) for _ in range(20))
