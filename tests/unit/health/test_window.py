"""The sliding window against the obvious list."""

from hypothesis import given
from hypothesis import strategies as st

from capability_router.health.window import SlidingWindow

call = st.tuples(st.floats(0, 12), st.booleans(), st.booleans())


@given(st.lists(call, max_size=60), st.floats(0, 40), st.floats(0, 1e6))
def test_counts_are_those_of_the_slices_in_reach(calls: list[tuple[float, bool, bool]], after: float, start: float):
    window, now, seen = SlidingWindow(30.0), start, []
    for gap, failed, slow in calls:
        now += gap
        window.add(now, failed=failed, slow=slow)
        seen.append((int(now // 3.0), failed, slow))
    now += after
    window.slide(now)
    kept = [s for s in seen if s[0] > int(now // 3.0) - 10]
    assert window.calls == len(kept)
    assert window.failed == sum(failed for _, failed, _ in kept)
    assert window.slow == sum(slow for _, _, slow in kept)


def test_share_is_none_without_calls_and_forgotten_when_cleared():
    window = SlidingWindow(30.0)
    assert window.share_failed() is None
    for failed in (True, False, False, False):
        window.add(1.0, failed=failed)
    assert window.share_failed() == 0.25
    assert window.slow == 0, "a call is slow only where that is said"
    window.clear()
    assert (window.calls, window.failed, window.share_failed()) == (0, 0, None)


@given(st.integers(0, 9), st.integers(10, 60))
def test_nothing_outlives_the_window_however_long_nobody_called(first: int, slices: int):
    window = SlidingWindow(30.0)
    for each in range(first, 10):
        window.add(3.0 * each, failed=True, slow=True)
    window.slide(3.0 * (9 + slices))
    assert (window.calls, window.failed, window.slow) == (0, 0, 0)


def test_a_time_that_runs_backwards_counts_as_the_newest():
    window = SlidingWindow(30.0)
    window.add(100.0, failed=False)
    window.add(40.0, failed=True)
    assert (window.calls, window.failed) == (2, 1)
    window.slide(126.9)
    assert window.calls == 2
    window.slide(129.0)
    assert window.calls == 0


def test_it_lags_once_its_slice_is_over():
    window = SlidingWindow(30.0)
    window.add(100.0, failed=True)
    assert [window.has_stale_slices(at) for at in (99.0, 101.9, 102.0)] == [False, False, True]
    window.slide(102.0)
    assert not window.has_stale_slices(102.0)
