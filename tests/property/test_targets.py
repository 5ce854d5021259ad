"""The price that keeps an average, against brute force over many prices."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from capability_router.policies.averages.average_target import COLD, AverageTarget, beyond


class Point(NamedTuple):
    """As the policy's own, by names."""

    usd: float
    utility: float
    quality: float


# In whole picodollars, as predicted; closer than a thousand of them, a difference of two floats tells no price.
costs = st.integers(min_value=10**5, max_value=10**9).map(lambda nano: nano / 1e9)
qualities = st.floats(min_value=0.0, max_value=1.0)
requests = st.lists(st.tuples(costs, qualities).map(lambda t: Point(t[0], t[1], t[0])), min_size=1, max_size=6)
windows = st.lists(requests, min_size=1, max_size=8)
targets = st.floats(min_value=1e-4, max_value=1.0)


def picked(points: list[Point], price: float) -> Point:
    return max(points, key=lambda p: (p.utility - price * p.usd, -p.usd))


def mean(window: list[list[Point]], price: float, name: str) -> float:
    return sum(getattr(picked(points, price), name) for points in window) / len(window)


def observed(window: list[list[Point]], target: float) -> tuple[AverageTarget, list[list[Point]]]:
    """A target that has seen the window so often that it is warm; what is booked is the target, so nothing is owed."""
    made, seen = AverageTarget(), []
    for _ in range(-(-COLD // len(window)) + 1):
        for points in window:
            made.took(target, points, target)
            seen.append(points)
    for _ in range(16):  # until it has been solved with all of them
        made.took(target, [], target)
    made.took(target, window[0], target)
    return made, [*seen, window[0]]


@given(windows, targets)
def test_just_within_the_target_and_at_the_most_quality(window: list[list[Point]], target: float) -> None:
    made, seen = observed(window, target)
    price = made.price(target, lambda: window[0])
    least = sum(min(p.usd for p in points) for points in seen) / len(seen)
    assert abs(price.least - least) < 1e-9
    if not price.met:
        assert least > target - 1e-9
        return
    assert mean(seen, price.value * (1 + 1e-6) + 1e-12, "usd") <= target + 1e-6
    for share in (0.0, 0.25, 0.5, 0.9, 0.99, 0.999):  # a lower price is above the target, or buys the same
        lower = price.value * share
        beyond_target = mean(seen, lower, "usd") > target - 1e-6
        assert beyond_target or mean(seen, lower, "utility") <= mean(seen, price.value, "utility") + 1e-6


@given(windows, targets, targets)
def test_a_higher_target_has_no_higher_price(window: list[list[Point]], one: float, other: float) -> None:
    low, high = sorted((one, other))
    (strict, seen), (easy, _) = observed(window, low), observed(window, high)
    dear, cheap = strict.price(low, lambda: window[0]), easy.price(high, lambda: window[0])
    if dear.met:
        assert cheap.value <= dear.value * (1 + 1e-9)
        assert mean(seen, cheap.value, "utility") >= mean(seen, dear.value, "utility") - 1e-9


@given(requests)
def test_beyond_every_corner_the_cheapest_is_picked(points: list[Point]) -> None:
    price = beyond(points)
    least = min(points, key=lambda p: (p.usd, -p.utility))
    best = max(p.utility - price * p.usd for p in points)
    assert best - (least.utility - price * least.usd) < 1e-9


@given(windows, st.floats(min_value=0.0, max_value=1.0))
def test_one_who_has_seen_nothing_keeps_the_target_with_the_request_at_hand(
    window: list[list[Point]], share: float
) -> None:
    points = window[0]
    cheapest, dearest = min(p.usd for p in points), max(p.usd for p in points)
    target = cheapest + share * (dearest - cheapest)
    price = AverageTarget().price(target, lambda: points)
    assert picked(points, price.value * (1 + 1e-6)).usd <= target + 1e-9


@given(windows, targets, st.lists(st.floats(min_value=0.0, max_value=1e6), max_size=30))
def test_whatever_requests_come_to_prices_stay_finite(
    window: list[list[Point]], target: float, real: list[float]
) -> None:
    made, _ = observed(window, target)
    for amount in real:
        made.took(target, window[0], amount)
        made.settled(amount, amount * 3, telling=True)
        price = made.price(target, lambda: window[0])
        assert 0.0 <= price.value < 1e12
        assert price.now is not None
        assert price.now >= 0.0
