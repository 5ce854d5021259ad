"""Windows learned from refusals: by the provider's word, by size alone, and unlearned."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from capability_router.learning.context_windows import FORGOTTEN_S, ContextWindows, LearnedWindow

HOUR = 3_600.0


def test_a_named_window_is_believed_until_more_is_answered() -> None:
    windows = ContextWindows()
    windows.turned_away("m", 9_000, 8_192, 0.0)
    assert windows.known["m"].told == 8_192
    windows.held("m", 8_000)
    assert windows.known["m"].told == 8_192
    windows.held("m", 8_193)
    assert "m" not in windows.known


def test_an_unnamed_window_is_less_than_what_was_turned_away() -> None:
    windows = ContextWindows()
    for tokens in (9_000, 7_000, 8_000):
        windows.turned_away("m", tokens, None, 0.0)
    assert windows.known["m"].limit(0.0) == 7_000
    windows.held("m", 6_999)
    assert windows.known["m"].limit(0.0) == 7_000
    windows.held("m", 7_000)
    assert "m" not in windows.known


def test_a_bound_loosens_and_is_forgotten() -> None:
    learned = LearnedWindow(bound=10_000, at=0.0)
    assert learned.limit(0.0) == 10_000
    assert learned.limit(5 * HOUR) == 15_000
    assert learned.limit(FORGOTTEN_S + 1) is None


def test_a_prompt_above_the_named_window_teaches_nothing_new() -> None:
    windows = ContextWindows()
    windows.turned_away("m", 9_000, 8_192, 0.0)
    windows.turned_away("m", 8_500, None, 1.0)
    assert windows.known["m"] == LearnedWindow(told=8_192)
    windows.turned_away("m", 6_000, None, 2.0)  # the window that was named is not the true one
    assert windows.known["m"].limit(2.0) == 6_000


def test_two_answers_unlearn_it_at_the_same_time() -> None:
    windows = ContextWindows()
    windows.turned_away("m", 9_000, 8_192, 0.0)
    lock = windows._lock

    class Late:  # the other thread's answer comes between the look and the lock
        def __enter__(self) -> None:
            windows._lock = lock
            windows.held("m", 9_000)
            lock.__enter__()

        def __exit__(self, *error: object) -> None:
            lock.__exit__(*error)

    windows._lock = Late()  # type: ignore[assignment]  # as long as this test needs it
    windows.held("m", 9_001)
    assert "m" not in windows.known


def test_a_request_that_ends_in_the_middle_of_another_waits_for_nothing() -> None:
    """As when the garbage collector closes a stream that nobody reads any more."""
    windows = ContextWindows()

    def within() -> None:
        with windows._lock:
            windows.turned_away("m", 9_000, 8_192, 0.0)

    thread = threading.Thread(target=within, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert windows.known["m"].told == 8_192


def test_what_is_shown() -> None:
    windows = ContextWindows()
    assert windows.shown("m", 0.0) == {"window": None, "too_long": None}
    windows.turned_away("m", 500, None, 0.0)
    assert windows.shown("m", 0.0) == {"window": None, "too_long": 500}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10_000)), max_size=40))
def test_nothing_learned_contradicts_a_later_answer(story: list[tuple[bool, int]]) -> None:
    windows = ContextWindows()
    for answered, tokens in story:
        if answered:
            windows.held("m", tokens)
            limit = windows.known.get("m", LearnedWindow()).limit(0.0)
            assert limit is None or limit > tokens
        else:
            windows.turned_away("m", tokens, None, 0.0)
            limit = windows.known["m"].limit(0.0)
            assert limit is not None
            assert limit <= tokens
