"""How models count: factors and margins by model and bucket."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.learning.token_scales import LEAST_MARGIN, MARGIN, UNSEEN, TokenScales


def taught(pairs: list[tuple[int, int]], bucket: str = "ascii") -> TokenScales:
    sizes = TokenScales()
    for estimated, actual in pairs:
        sizes.learn("m", bucket, estimated, actual)
    return sizes


def test_what_was_never_seen_is_taken_as_estimated_with_a_fifth_more() -> None:
    assert TokenScales().on("ascii").get("m", UNSEEN) == (1.0, MARGIN) == (1.0, 0.2)


def test_the_factor_comes_near_to_what_is_reported_and_the_margin_shrinks() -> None:
    scales = [taught([(1_000, 1_300)] * n).on("ascii")["m"] for n in (1, 5, 50)]
    assert scales[0].factor < scales[1].factor < scales[2].factor == pytest.approx(1.3, rel=0.02)
    assert scales[2].margin < 0.1 < scales[0].margin


def test_the_margin_is_what_the_answers_show() -> None:
    dice = random.Random(5)
    wide = taught([(1_000, int(1_000 * dice.uniform(0.7, 1.4))) for _ in range(200)]).on("ascii")["m"]
    close = taught([(1_000, int(1_000 * dice.uniform(0.98, 1.02))) for _ in range(200)]).on("ascii")["m"]
    assert close.margin < 0.05 < 0.2 < wide.margin < 0.6
    assert close.margin >= LEAST_MARGIN


def test_buckets_and_models_are_kept_apart() -> None:
    sizes = taught([(1_000, 2_000)] * 30, "cjk")
    assert sizes.on("cjk")["m"].factor > 1.8
    assert "m" not in sizes.on("ascii")
    assert "other" not in sizes.on("cjk")


@pytest.mark.parametrize("actual", [0, -5, 10, 200, 5_000, 10**9])
def test_nonsense_teaches_nothing(actual: int) -> None:
    assert not taught([(1_000, actual)]).on("ascii")


def test_a_tiny_prompt_teaches_nothing() -> None:
    assert not taught([(20, 40)]).on("ascii")


def test_it_follows_a_change_of_the_vocabulary() -> None:
    sizes = taught([(1_000, 1_000)] * 200 + [(1_000, 1_300)] * 40)
    assert sizes.on("ascii")["m"].factor == pytest.approx(1.3, rel=0.02)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(-10, 10**8)), max_size=40))
def test_factors_and_margins_stay_sane(pairs: list[tuple[int, int]]) -> None:
    for scale in taught(pairs).on("ascii").values():
        assert 1 / 3 <= scale.factor <= 3
        assert LEAST_MARGIN <= scale.margin <= 9
