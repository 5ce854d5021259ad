"""Trees: what goes together is found, what is chance is not believed."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np

from capability_router.learning.quality.fit import Fit, TrainingTable, fitted
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG
from capability_router.learning.quality.trees import DEPTH, LEAST, LEAVES, grown, no_trees


def together(rows: int, columns: int = 1, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and values that depend on the first two only together: no line sees anything in them."""
    dice = np.random.default_rng(seed)
    numbers = dice.normal(size=(rows, 6)).astype(np.float32)
    values = np.sign(numbers[:, :1] * numbers[:, 1:2]) * np.linspace(1.0, -1.0, columns + 1)[:columns]
    return numbers, values.astype(np.float32)


@pytest.mark.parametrize("columns", [1, 5])  # fewer and more than the directions that halves differ along
def test_what_goes_together_is_foretold_of_rows_that_a_tree_has_not_seen(columns: int) -> None:
    numbers, values = together(800, columns)
    trees, unseen = grown(numbers, values, np.ones_like(values))
    assert np.corrcoef(unseen[:, 0], values[:, 0])[0, 1] > 0.7
    asked, wanted = together(200, columns, seed=2)
    found = np.array([trees.of(row) for row in asked])
    assert np.corrcoef(found[:, 0], wanted[:, 0])[0, 1] > 0.7


def test_a_request_comes_to_the_mean_of_the_leaves_that_it_falls_into() -> None:
    numbers, values = together(400, 2)
    trees, _ = grown(numbers, values, np.ones_like(values))
    for row in numbers[:5]:
        leaves = []
        for asks, cuts, worth in zip(*trees, strict=True):
            node = 1
            for _ in range(DEPTH):
                node = 2 * node + bool(row[asks[node]] > cuts[node])
            leaves.append(worth[node - LEAVES])
        assert trees.of(row) == pytest.approx(np.mean(leaves, axis=0), abs=1e-6)


def test_chance_is_foretold_by_nothing() -> None:
    dice = np.random.default_rng(3)
    numbers, values = dice.normal(size=(800, 6)).astype(np.float32), dice.normal(size=(800, 1)).astype(np.float32)
    _, unseen = grown(numbers, values, np.ones_like(values))
    assert abs(np.corrcoef(unseen[:, 0], values[:, 0])[0, 1]) < 0.15


def test_values_that_are_not_there_do_not_count_as_nothing() -> None:
    numbers, _ = together(800)
    there = (np.arange(800) % 2 == 0).astype(np.float32)[:, None]
    trees, _ = grown(numbers, there, there)  # wherever there is a value, it is 1
    assert trees.of(numbers[0])[0] > 0.5


def test_few_rows_have_no_trees_and_the_same_rows_the_same_ones() -> None:
    few, values = together(LEAST - 1)
    trees, unseen = grown(few, values, np.ones_like(values))
    assert not len(trees.asks)
    assert not unseen.any()
    assert trees.of(few[0]).tolist() == no_trees(1).of(few[0]).tolist() == [0.0]
    numbers, values = together(400)
    one, two = (grown(numbers, values, np.ones_like(values))[0] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_how_a_core_rounds_does_not_decide_how_trees_grow() -> None:
    numbers, values = together(800, 2)
    numbers = numbers.round(1)  # many are equal, as in templates' traffic: a hair decides who is left of a cut
    hair = np.random.default_rng(5).uniform(-2e-7, 2e-7, numbers.shape).astype(np.float32)
    (one, first), (two, second) = (grown(each, values, np.ones_like(values)) for each in (numbers, numbers + hair))
    same = np.isclose(first, second, atol=1e-3).all(1)
    assert same.mean() > 0.95
    asked = (np.arange(60, dtype=np.float32) / np.float32(7.0) - np.float32(4.0)).reshape(10, 6)
    for row in (*numbers[:20], *asked):
        assert one.of(row) == pytest.approx(one.of(row + hair[0]), abs=1e-6)
    assert (one.asks == two.asks).mean() > 0.95


def fit(told: float) -> tuple[Fit, np.ndarray, np.ndarray]:
    """Of two models, one better and one worse where two numbers of the surface have the same sign, by so much."""
    dice = np.random.default_rng(4)
    surfaces = dice.normal(size=(1_600, SIZE)).astype(np.float32)
    side = np.sign(surfaces[:, :1] * surfaces[:, 1:2]) * np.array([[told, -told]])
    scores = (dice.random((1_600, 2)) < 0.5 + side).astype(np.float32)
    bags = np.zeros((1_600, BAG), np.float32)
    bags[np.arange(1_600), dice.integers(0, 2_048, 1_600)] = 1.0
    return (
        fitted(TrainingTable(bags, surfaces, scores, np.full_like(scores, np.nan), np.arange(1_600) % 3)).fit,
        surfaces,
        side,
    )


def test_a_fit_goes_by_trees_where_they_foretell_better_and_keeps_none_where_they_do_not() -> None:
    found, surfaces, side = fit(0.4)
    assert found.blend.own[-1].any()
    nothing = (np.zeros(3, np.float32),) * 3
    own = np.array([found.parts(row, nothing)[1] for row in surfaces[:300]])
    assert np.corrcoef(own, side[:300, 0])[0, 1] > 0.5
    assert not len(fit(0.0)[0].trees.asks)
