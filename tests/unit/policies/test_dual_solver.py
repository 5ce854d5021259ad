"""The exact dual against brute force over many prices."""

import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.policies.dual_solver import DualSolver, hull


class Point(NamedTuple):
    """As the policy's own, by names."""

    usd: float
    utility: float
    quality: float


# Predicted in whole picodollars; closer than a thousand of them, a difference of two floats tells no price.
costs = st.integers(min_value=10**5, max_value=10**9).map(lambda nano: nano / 1e9)
qualities = st.floats(min_value=0.0, max_value=1.0)
requests = st.lists(st.tuples(costs, qualities).map(lambda t: Point(t[0], t[1], t[1])), min_size=1, max_size=6)
windows = st.lists(requests, min_size=1, max_size=12)


def mean_quality(window: list[list[Point]], price: float) -> float:
    picks = [max(points, key=lambda p: p.utility - price * p.usd) for points in window]
    return sum(p.quality for p in picks) / len(picks)


@given(windows, st.floats(min_value=0.05, max_value=0.99))
def test_the_price_meets_the_target_if_any_does(window: list[list[Point]], target: float) -> None:
    dual = DualSolver()
    for points in window:
        dual.observe(hull(points))
    price = dual.solve(target) * (1 - 1e-6)  # just below the corner
    if price > 0:
        assert mean_quality(window, price) >= target - 1e-6
        assert mean_quality(window, price * 1.001 + 1e-9) <= mean_quality(window, price) + 1e-9
    else:
        best = sum(max(p.quality for p in points) for points in window) / len(window)
        assert best <= target + 1e-6 or all(len(hull(points)[1]) == 0 for points in window)


@given(requests)
def test_hull_steps_fall_in_price_and_rise_in_quality(points: list[Point]) -> None:
    _, prices, gains, best = hull(points)
    assert best == max(point[2] for point in points)
    assert len(prices) == len(gains)
    assert all(a >= b for a, b in itertools.pairwise(prices))
    assert all(gain > 0 for gain in gains)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_of_points_at_the_same_cost_the_best_alone_is_a_corner_whichever_comes_first(order: tuple[int, ...]) -> None:
    points = [Point(1.0, 0.3, 0.3), Point(1.0, 0.5, 0.5), Point(2.0, 0.6, 0.6), Point(2.0, 0.8, 0.8)]
    base, prices, gains, _ = hull([points[at] for at in order])
    assert (base, prices, gains) == (0.5, [pytest.approx(0.3)], [pytest.approx(0.3)])


@given(st.lists(requests, min_size=1, max_size=12), st.floats(0.1, 1.0))
def test_a_share_is_the_level_that_the_best_would_come_to_times_it(window: list[list[Point]], share: float) -> None:
    dual = DualSolver(window=8)
    for points in window:
        dual.observe(hull(points))
    kept = window[-8:]
    level = share * sum(max(point[2] for point in points) for points in kept) / len(kept)
    assert mean_quality(kept, dual.solve(0.0, share=share) * 0.999) == pytest.approx(
        mean_quality(kept, dual.solve(level) * 0.999)
    )


def test_the_window_forgets() -> None:
    dual = DualSolver(window=2)
    for quality in (0.1, 0.5, 0.6):
        dual.observe(hull([Point(1, quality, quality), Point(2, quality + 0.3, quality + 0.3)]))
    assert len(dual) == 2
    assert dual.solve(0.5) > 0.3
    assert 0.29 < dual.solve(0.6) < 0.31
    assert dual.solve(0.99) == 0.0


@given(windows, requests, st.floats(min_value=1e-4, max_value=4.0), st.integers(min_value=1, max_value=32))
def test_a_window_that_falls_short_of_a_target_has_no_price_for_it(
    window: list[list[Point]], further: list[Point], target: float, copies: int
) -> None:
    """Here what is summed up is the cost, as of a cost target."""
    own = [Point(p.usd, p.utility, p.usd) for p in further]
    dual = DualSolver()
    for points in window:
        dual.observe(hull([Point(p.usd, p.utility, p.usd) for p in points]))
    amounts = [p.usd for p in own]
    if dual.falls_short(target, min(amounts), max(amounts), copies):
        assert dual.solve(target, hull(own), copies) == 0.0
    most = [max(p.usd for p in points) for points in window] + [max(amounts)] * copies
    if sum(most) / len(most) < target / 1.01:
        assert dual.falls_short(target, min(amounts), max(amounts), copies)
