"""Live latency from a prior."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.health.latency import READING_S, Latency, PeakEwma, RecentSamples, RunningMean


def foreseen(seen: Latency, tokens: int) -> float:
    wait, each = seen.line()
    assert wait is not None
    return wait + tokens * (each or 0.0)


def test_the_card_counts_as_five_calls():
    seen = Latency({"ttft_s": 1.0, "tokens_per_s": 100})
    assert seen.line() == (1.0, 0.01)
    seen.answered(7.0, 7.0 + 200 * 0.07, 200)
    assert seen.ttft.value == pytest.approx(2.0)
    assert seen.line() == (pytest.approx(2.0), pytest.approx(0.02))


def test_without_a_card_the_first_call_counts_whole():
    seen = Latency({})
    assert (seen.line(), seen.service_s()) == ((None, None), 1.0)
    seen.answered(0.5, 2.5, 100)
    assert (seen.line(), seen.service_s()) == ((0.5, 0.02), 2.5)


def test_a_card_may_state_half_of_it():
    assert Latency({"ttft_s": 3.0}).line() == (3.0, None)
    assert Latency({"ttft_s": 3.0}).service_s() == 3.0
    assert Latency({"tokens_per_s": 100}).line() == (0.5, 0.01)


def test_it_follows_a_change_within_some_tens_of_calls():
    seen = Latency({"ttft_s": 0.1})
    for _ in range(40):
        seen.answered(2.0, 2.0, 0)
    assert seen.ttft.value == pytest.approx(2.0, rel=0.05)


def test_a_reply_that_is_not_streamed_teaches_no_first_token_but_how_long_answers_take():
    seen = Latency({"ttft_s": 1.0})
    for _ in range(30):
        seen.answered(None, 9.0, 400)
    assert (seen.ttft.value, seen.ttft_p95_s()) == (1.0, None)
    assert seen.line() == (1.0, pytest.approx(0.02))
    assert seen.usual_silence_s(0, whole=True) == 9.0


def test_a_wait_that_was_never_seen_is_guessed_and_the_usual_answer_foreseen_as_it_is():
    seen = Latency({})
    seen.answered(None, 4.5, 200)
    assert seen.line() == (0.5, pytest.approx(0.02))
    quick = Latency({})
    quick.answered(None, 0.4, 100)
    assert quick.line() == (0.2, pytest.approx(0.002))
    untold = Latency({})
    untold.answered(None, 3.0, 0)
    assert untold.line() == (3.0, None)


@pytest.mark.parametrize("streams", [(True, False), (False, True)])
def test_models_of_which_different_kinds_of_calls_are_known_compare_by_what_answers_take(streams: tuple[bool, bool]):
    """One is only streamed, the other never; the one that is a fifth quicker is foreseen as quicker at any length."""
    models, pace = [Latency({}), Latency({})], [(0.5, 0.016), (0.6, 0.02)]
    for seen, streamed, (wait, each) in zip(models, streams, pace, strict=True):
        for tokens in (50, 400, 120, 300, 90, 240) * 4:
            seen.answered(wait if streamed else None, wait + tokens * each, tokens)
    for tokens in (100, 200, 400, 1000):
        quick, slow = (foreseen(seen, tokens) for seen in models)
        assert quick < slow
        assert quick == pytest.approx(0.5 + tokens * 0.016, rel=0.1)
        assert slow == pytest.approx(0.6 + tokens * 0.02, rel=0.1)


def test_answers_that_are_quicker_than_the_first_token_that_was_believed_in():
    seen = Latency({"ttft_s": 9.0})
    seen.answered(None, 0.4, 10)
    assert (seen.ttft.value, seen.line()) == (9.0, (0.4, 0.0))


def test_a_stream_that_comes_in_one_piece_has_shown_no_first_token():
    seen = Latency({})
    for _ in range(20):
        seen.answered(5.0, 5.001, 250)
    assert (seen.ttft.value, seen.line()) == (None, (0.5, pytest.approx(0.018, rel=0.01)))
    assert (seen.ttft_p95_s(), seen.usual_silence_s(0, whole=False)) == (None, 5.001)
    seen.answered(1.0, 1.0, 2)  # a word is one piece in any case
    assert seen.ttft.value == 1.0


def test_of_a_reply_that_was_not_streamed_all_but_its_writing_was_waited_for():
    seen = Latency({"ttft_s": 1.0, "tokens_per_s": 100})
    assert seen.waited_s(0.3, 9.0, 100) == 0.3
    assert seen.waited_s(None, 9.0, 100) == pytest.approx(8.0)
    assert seen.waited_s(None, 9.0, 2000) == 0.0
    assert seen.waited_s(None, 9.0, 0) == 9.0
    assert seen.waited_s(None, None, 100) is None
    assert Latency({}).waited_s(None, 9.0, 100) == 9.0


def test_a_timeout_is_a_wait_at_least_so_long():
    seen = Latency({"ttft_s": 1.0})
    seen.timed_out(0.5)
    assert seen.ttft.value == 1.0
    seen.timed_out(13.0)
    assert seen.ttft.value == pytest.approx(3.0)
    assert seen.line() == (pytest.approx(3.0), None)


def test_a_stream_that_timed_out_would_have_been_written_as_well():
    seen = Latency({"ttft_s": 1.0, "tokens_per_s": 100})
    seen.timed_out(13.0)
    assert seen.line() == (pytest.approx(3.0), pytest.approx(0.01))


def test_a_reply_that_timed_out_lasted_at_least_so_long_and_had_no_first_token():
    seen = Latency({"ttft_s": 1.0, "tokens_per_s": 100})
    seen.timed_out(2.0, whole=True)
    assert seen.line() == (1.0, 0.01)
    seen.timed_out(15.0, whole=True)
    assert (seen.ttft.value, seen.took.value) == (1.0, pytest.approx(5.0))
    seen.timed_out(math.inf, whole=True)
    assert seen.took.value == pytest.approx(5.0)


def test_the_percentile_needs_twenty_and_forgets_the_oldest():
    seen = Latency({})
    for n in range(19):
        seen.answered(float(n), None, 0)
    assert seen.ttft_p95_s() is None
    seen.answered(19.0, None, 0)
    assert seen.ttft_p95_s() == 18.0  # nineteen of twenty took no longer
    for n in range(64):
        seen.answered(float(100 + n), None, 0)
    assert seen.ttft_p95_s() == 160.0


def test_streams_and_whole_replies_are_silent_for_times_of_their_own():
    seen = Latency({})
    for _ in range(20):
        assert seen.usual_silence_s(0, whole=True) is None
        seen.answered(None, 8.0, 100)
    assert seen.usual_silence_s(0, whole=False) == 8.0  # no first token comes later than its whole reply
    for _ in range(20):
        seen.answered(0.5, 3.0, 100)
    assert (seen.usual_silence_s(0, whole=False), seen.usual_silence_s(0, whole=True)) == (0.5, 8.0)


def test_a_mean_is_that_of_all_until_there_are_ten_and_then_of_about_the_last_ten():
    seen = RunningMean()
    for sample in (1.0, 3.0, 5.0):
        seen.add(sample)
    assert seen.value == pytest.approx(3.0)
    for _ in range(7):
        seen.add(3.0)
    for value in (4.0, 4.9):
        seen.add(13.0)
        assert seen.value == pytest.approx(value)
    stated = RunningMean(1.0)
    stated.add(7.0)
    assert stated.value == pytest.approx(2.0)


def test_a_peak_is_jumped_to_and_falls_to_a_third_in_ten_seconds():
    seen = PeakEwma()
    assert seen.value(0.5) == 0.0
    seen.add(2.0, 1.0)
    assert (seen.value(1.0), seen.value(0.0)) == (2.0, 2.0)
    assert seen.value(11.0) == pytest.approx(2.0 / math.e)
    seen.add(1.0, 11.0)  # lower: it falls towards it
    assert seen.value(11.0) == pytest.approx(1.0 + 1.0 / math.e)
    seen.add(5.0, 12.0)
    assert seen.value(12.0) == 5.0
    seen.add(5.0, 13.0)
    assert seen.value(13.0) == 5.0
    low = PeakEwma()
    low.add(0.5, 0.5)
    assert low.value(0.75) == pytest.approx(0.5 * math.exp(-0.025))


def test_sixty_four_are_kept_and_the_oldest_goes_first():
    seen = RecentSamples()
    for seconds in (*[9.0] * 4, *[1.0] * 60):
        seen.add(seconds)
    assert seen.p95_s() == 9.0
    seen.add(1.0)
    assert seen.p95_s() == 1.0
    for _ in range(3):
        seen.add(1.0)
    for _ in range(4):
        seen.add(7.0)
    assert seen.p95_s() == 7.0


@pytest.mark.parametrize(
    ("tokens", "writing_s", "shown"), [(20, 0.0019, False), (20, 0.0021, True), (19, 0.0, True), (20, 0.0, False)]
)
def test_nobody_writes_ten_thousand_tokens_a_second(tokens: int, writing_s: float, shown: bool):
    seen = Latency({})
    seen.answered(1.0, 1.0 + writing_s, tokens)
    assert (seen.ttft.value is not None) == shown


def test_answers_of_untold_size_leave_the_usual_size_as_it_is_and_a_single_token_is_one():
    seen = Latency({})
    seen.answered(0.5, 2.5, 100)
    seen.answered(0.5, 2.5, 0)
    assert (seen.size.value, seen.took.value) == (100, 2.5)
    seen.answered(0.5, 2.5, 1)
    assert seen.size.value == pytest.approx(50.5)


def test_of_what_nothing_is_known_a_timeout_is_the_first_word():
    whole, stream = Latency({}), Latency({})
    whole.timed_out(0.5, whole=True)
    stream.timed_out(0.5)
    assert (whole.line(), whole.ttft.value) == ((0.5, None), None)
    assert (stream.line(), stream.ttft.value, stream.took.value) == ((0.5, None), 0.5, None)
    for n in range(1, 21):
        whole.timed_out(float(n), whole=True)
        stream.timed_out(float(n))
    assert stream.ttft_p95_s() == 19.0
    assert whole.usual_silence_s(0, whole=True) is stream.usual_silence_s(0, whole=False) is None  # they never answered


def test_no_reply_is_taken_to_have_been_written_slower_than_ten_tokens_a_second():
    slow = Latency({"ttft_s": 0.0, "tokens_per_s": 1})
    assert slow.waited_s(None, 30.0, 100) == pytest.approx(20.0)


def long_and_short(seen: Latency, calls: int, per_token: float) -> None:
    """Every third input is long; first tokens come after 0.4 s and the reading."""
    for number in range(calls):
        tokens = 20_000 + 997 * number if number % 3 == 0 else 200 + 7 * number
        wait = 0.4 + per_token * tokens
        seen.answered(wait, wait + 1.0, 100, tokens)


@pytest.mark.parametrize("per_token", [0.0, 2e-5, 5e-5, 1e-3])
def test_how_long_reading_takes_is_learned_and_keeps_no_short_input_waiting(per_token: float):
    seen = Latency({"ttft_s": 0.5})
    long_and_short(seen, 60, per_token)
    assert seen.per_input == pytest.approx(per_token, rel=0.05, abs=1e-6)
    assert seen.first_s(200) == pytest.approx(0.4 + 200 * per_token, abs=0.05)
    assert seen.first_s(100_000) == pytest.approx(0.4 + 100_000 * per_token, rel=0.1)


def test_where_inputs_have_one_size_reading_is_guessed():
    seen = Latency({})
    for wait in (0.3, 0.5) * 40:
        seen.answered(wait, wait, 0, 500)
    assert seen.per_input == READING_S
    assert seen.first_s(500) == pytest.approx(0.4, abs=0.02)


def test_a_provider_that_slows_down_is_followed_whatever_the_sizes():
    seen = Latency({"ttft_s": 0.4})
    long_and_short(seen, 60, 5e-5)
    for number in range(20):
        tokens = 20_000 if number % 3 == 0 else 200
        seen.answered(3.4 + 5e-5 * tokens, None, 0, tokens)
    assert seen.first_s(200) == pytest.approx(3.4, rel=0.15)


def test_a_long_input_that_is_cut_off_says_only_what_reading_does_not_explain():
    seen = Latency({"ttft_s": 1.0})
    seen.timed_out(9.0, 100_000)  # ten seconds were to be expected
    assert seen.begins.value == 1.0
    seen.timed_out(17.0, 100_000)
    assert seen.begins.value == pytest.approx(2.0)


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(), st.none() | st.floats(), st.integers(-5, 10**6), st.integers(-5, 10**8)
        ),
        max_size=30,
    )
)  # fmt: skip
def test_nothing_it_is_told_makes_it_senseless(calls: list[tuple[float | None, float | None, int, int]]):
    seen = Latency({"ttft_s": 0.4, "tokens_per_s": 90})
    for ttft, elapsed, tokens, entered in calls:
        seen.answered(ttft, elapsed, tokens, entered)
    for value in (*seen.line(), seen.ttft.value, seen.service_s(), seen.per_input):
        assert value is not None
        assert 0 <= value < math.inf


@pytest.mark.parametrize("seed", range(5))
def test_between_long_inputs_short_answers_are_never_foreseen_as_next_to_nothing(seed: int):
    """While reading is still guessed, at twice what it takes, too. Waits and speeds are drawn around their medians."""
    chance, seen, least = Random(seed), Latency({"ttft_s": 0.4, "tokens_per_s": 200}), math.inf
    for _ in range(300):
        entered = int(math.exp(chance.uniform(8.3, 12.0))) if chance.random() < 0.15 else 200
        ttft = 0.4 * chance.lognormvariate(0.0, 0.35) + 5e-5 * entered
        seen.answered(ttft, ttft + 0.5 * chance.lognormvariate(0.0, 0.35), 100, entered)
        least = min(least, foreseen(seen, 100))
    assert least > 0.7  # of 0.9 s


def slope_of(*readings: tuple[int, float]) -> float:
    """Least squares, with the guess as worth as fifty inputs that are spread by 1,000 tokens: by the book."""
    count = len(readings)
    tokens, waits = sum(t for t, _ in readings) / count, sum(w for _, w in readings) / count
    spread = sum((t - tokens) ** 2 for t, _ in readings) / count
    both = sum((t - tokens) * (w - waits) for t, w in readings) / count
    worth = 50 * 1_000_000 / count
    return (both + worth * READING_S) / (spread + worth)


READ = (1, 1.0), (3_001, 2.0)


def test_how_long_a_token_takes_to_read_is_learned_of_streams_to_inputs_of_several_sizes():
    seen = Latency({})
    for tokens, wait in READ:
        seen.answered(wait, wait + 1.0, 10, tokens)
    assert seen.per_input == pytest.approx(slope_of(*READ), rel=1e-9)


@pytest.mark.parametrize("none", [(5_000.0, 9_000), (1.0, 0), (1.0, -5)])
def test_inputs_of_unknown_size_and_waits_of_hours_teach_nothing_of_reading(none: tuple[float, int]):
    seen = Latency({})
    seen.answered(none[0], none[0] + 1.0, 10, none[1])
    for tokens, wait in READ:
        seen.answered(wait, wait + 1.0, 10, tokens)
    assert seen.per_input == pytest.approx(slope_of(*READ), rel=1e-9)


def test_a_wait_of_an_hour_still_does():
    seen = Latency({})
    long = (10_000, 3_600.0)
    for tokens, wait in (*READ, long):
        seen.answered(wait, wait + 1.0, 10, tokens)
    assert seen.per_input == pytest.approx(slope_of(*READ, long), rel=1e-9)


def test_an_answer_without_the_reading_of_its_input():
    seen = Latency({})
    seen.answered(None, 4.5, 0, 10_000)
    assert (seen.took.value, seen.lasts.value) == (4.5, pytest.approx(3.5))
    assert seen.line() == (pytest.approx(3.5), None)


def test_the_oldest_of_sixty_four_is_the_first_to_be_forgotten():
    recent = RecentSamples()
    for n in range(64):
        recent.add(9.0 if n in (0, 1, 20, 40, 60) else 1.0)
    told = []
    for _ in range(3):
        told.append(recent.p95_s())
        recent.add(1.0)
    assert told == [9.0, 9.0, 1.0], "three of sixty-four are no twentieth"


@pytest.mark.parametrize("unknown", [math.inf, math.nan, -1.0, None])
def test_what_is_no_time_teaches_nothing(unknown: float | None):
    seen = Latency({})
    seen.answered(unknown, unknown, 10, 10)
    assert (seen.ttft.value, seen.took.value, seen.size.value) == (None, None, None)


def test_an_answer_in_no_time_is_one():
    seen = Latency({})
    seen.answered(0.0, 0.0, 0)
    assert (seen.ttft.value, seen.took.value) == (0.0, 0.0)


def test_a_time_out_after_what_is_usual_anyway_tells_nothing():
    seen = Latency({})
    for _ in range(19):
        seen.answered(1.0, 3.0, 0)
    seen.timed_out(1.0)
    assert seen.ttft_p95_s() is None
    seen.timed_out(3.0, whole=True)
    assert seen.took.value == pytest.approx(3.0)
    seen.timed_out(3.1, whole=True)
    assert 3.0 < (seen.took.value or 0.0) < 3.1


def test_a_time_out_of_a_model_whose_answers_have_no_known_size():
    seen = Latency({})
    seen.answered(1.0, 2.0, 0)
    seen.timed_out(9.0)
    assert (seen.ttft.value, seen.took.value) == (5.0, 5.5)


def test_a_time_out_of_a_model_that_writes_in_no_time():
    seen = Latency({})
    seen.answered(2.0, 2.0, 10)
    seen.timed_out(5.0)
    assert seen.took.value == 3.5


def test_nothing_is_added_for_an_input_of_unknown_size():
    seen = Latency({})
    for _ in range(20):
        seen.answered(1.0, 3.0, 0)
    assert seen.first_s(0) == 1.0
    assert (seen.usual_silence_s(0, whole=False), seen.usual_silence_s(0, whole=True)) == (1.0, 3.0)
    assert seen.usual_silence_s(10_000, whole=True) == 4.0


def test_a_text_as_quick_as_one_can_be_written_was_not_sent_in_one_piece():
    seen = Latency({})
    seen.answered(0.0, 20 * 0.0001, 20)
    assert seen.ttft.value == 0.0
