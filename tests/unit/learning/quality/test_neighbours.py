"""Who is near: the same as by sorting all, however the requests lie; and products are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest

from capability_router.learning.quality.neighbours import NUMBER, nearest
from capability_router.learning.quality.products import products, sparse_products


def similarities(rows: int, lie: str) -> np.ndarray:
    """Of so many requests, the largest anywhere, or in every 16th place alone, or in none of these; or most are 0."""
    found = np.random.default_rng(rows).uniform(-0.2, 0.4, rows).astype(np.float32)
    if lie == "in each 16th":
        found[::16] += 0.5
    if lie == "between these":
        found += 0.5
        found[::16] = -0.9
    return np.maximum(found - np.float32(0.39), 0.0) if lie == "mostly nothing" else found


@pytest.mark.parametrize("lie", ["anywhere", "in each 16th", "between these", "mostly nothing"])
@pytest.mark.parametrize("rows", [7, 60, 61, 999, 1_001, 8_000])
def test_the_nearest_are_the_largest(rows: int, lie: str) -> None:
    similar = similarities(rows, lie)
    places, weights = nearest(similar)
    largest = np.sort(similar)[::-1][:NUMBER]
    square, above = np.square(np.maximum(similar[places], 0.0)), similar[places] > largest[-1] + 1e-5
    assert len(set(places.tolist())) == len(places) < 500
    assert set(np.flatnonzero(similar > max(largest[-1] + 1e-5, 0.0))) <= set(places.tolist())
    assert weights.sum() == pytest.approx(np.square(np.maximum(largest, 0.0)).sum(), abs=1e-3)
    assert weights[above] == pytest.approx(square[above])
    assert (weights <= square + 1e-7).all()


def test_rows_without_likeness_are_left_out() -> None:
    similar = np.zeros(8_000, np.float32)
    similar[::300] = 0.3
    places, weights = nearest(similar)
    assert places.tolist() == list(range(0, 8_000, 300))
    assert weights == pytest.approx(0.09)


def test_of_very_many_equals_some_count_for_all() -> None:
    similar = np.full(8_000, 0.5, np.float32)
    places, weights = nearest(similar)
    assert 100 < len(places) < 500
    assert weights.sum() == pytest.approx(60 * 0.25)


def test_equals_share_the_last_places() -> None:
    similar = np.array([0.9] * 50 + [0.5] * 40 + [0.1] * 30, np.float32)
    places, weights = nearest(similar)
    assert places.tolist() == list(range(90))
    assert weights[:50] == pytest.approx(0.81)
    assert weights[50:] == pytest.approx(0.25 * 10 / 40)


@pytest.mark.parametrize("rows", [90, 4_000])
def test_how_a_core_rounds_does_not_decide_who_is_near(rows: int) -> None:
    dice = np.random.default_rng(rows)
    similar = dice.integers(0, 4, rows).astype(np.float32) / np.float32(4.0)  # as of traffic from a few templates
    rounded = similar + dice.uniform(-2e-7, 2e-7, rows).astype(np.float32)
    values = dice.uniform(size=rows).astype(np.float32)
    found = [weights @ values[places] for places, weights in map(nearest, (similar, rounded))]
    assert found[0] == pytest.approx(found[1], abs=1e-4)


@pytest.mark.parametrize("turned", [False, True])
def test_products_are_those_of_the_matrix(turned: bool) -> None:
    dice = np.random.default_rng(3)
    rows, vector = dice.standard_normal((40, 30)).astype(np.float32), dice.standard_normal(30).astype(np.float32)
    found = products(np.asfortranarray(rows) if turned else rows, vector)
    assert found.dtype == np.float32
    assert found == pytest.approx(rows.astype(np.float64) @ vector, abs=1e-4)


@pytest.mark.parametrize("needed", [0, 1, 12, 13, 30])
def test_products_by_column_are_those_of_the_matrix(needed: int) -> None:
    dice = np.random.default_rng(needed)
    columns, vector = dice.standard_normal((30, 50)).astype(np.float32), np.zeros(30, np.float32)
    vector[dice.permutation(30)[:needed]] = dice.standard_normal(needed)
    found = sparse_products(columns[:, :40], vector)
    assert found.dtype == np.float32
    assert found == pytest.approx(columns[:, :40].T.astype(np.float64) @ vector, abs=1e-4)
