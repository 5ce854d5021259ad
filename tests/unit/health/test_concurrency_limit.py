"""How many calls at once a model bears, learned from refusals and late first tokens."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.address import Address
from capability_router.health.board import HealthBoard, Hold, Permit, Verdict
from capability_router.health.concurrency_limit import ConcurrencyLimit

REFUSED = Verdict(ok=False, blame="gate", retry_after_s=0.001, overloaded=True)
FINE = Verdict(ok=True, ttft_s=0.1, elapsed_s=1.0)


def test_nothing_is_limited_until_something_is_seen() -> None:
    learned = ConcurrencyLimit()
    for _ in range(1_000):
        learned.answered(500, 0.2, 0.0, 1.0)
    assert learned.limit == math.inf


def test_a_burst_that_is_refused_cuts_once() -> None:
    learned = ConcurrencyLimit()
    for _ in range(20):
        learned.refused(20, sent_at=0.0, now=1.0)
    assert learned.limit == 16.0
    learned.refused(16, sent_at=1.5, now=2.0)
    assert learned.limit == pytest.approx(12.8)


def test_a_refusal_of_a_few_is_about_something_else() -> None:
    learned = ConcurrencyLimit()
    learned.refused(4, 0.0, 1.0)
    assert learned.limit == math.inf
    for i in range(20):
        learned.refused(5, float(i), float(i))
    assert learned.limit == 4.0


def test_answers_at_the_limit_raise_it_by_one_a_round() -> None:
    learned = ConcurrencyLimit()
    learned.refused(10, 0.0, 1.0)
    for _ in range(8):
        learned.answered(8, None, 1.0, 2.0)
    assert 8.9 < learned.limit < 9.0
    for _ in range(100):
        learned.answered(2, None, 1.0, 2.0)  # far below it: proves nothing
    assert 8.9 < learned.limit < 9.0


def test_it_is_forgotten_after_five_quiet_minutes() -> None:
    learned = ConcurrencyLimit()
    learned.refused(10, 0.0, 1.0)
    learned.answered(1, None, 301.0, 302.0)
    assert learned.limit == math.inf


def test_first_tokens_that_come_late_under_load_cut_too_but_not_below_four() -> None:
    learned = ConcurrencyLimit()
    for _ in range(60):
        learned.answered(20, 0.2, 0.0, 1.0)
    now = 2.0
    limits = []
    for _ in range(60):
        learned.answered(20, 3.0, now, now + 1.0)
        limits.append(learned.limit)
        now += 2.0
    assert min(limits) == 4.0
    assert limits[-1] > 4.0  # what has become usual is not late
    alone = ConcurrencyLimit()
    for ttft in [0.2] * 60 + [3.0] * 60:
        alone.answered(3, ttft, 0.0, 1.0)
    assert alone.limit == math.inf  # slow, but not for a queue of ours


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 100), st.floats(0, 10)), max_size=60))
def test_it_never_forbids_everything(calls: list[tuple[bool, int, float]]) -> None:
    learned, now = ConcurrencyLimit(), 0.0
    for refused, in_flight, gap in calls:
        now += gap
        if refused:
            learned.refused(in_flight, now, now)
        else:
            learned.answered(in_flight, gap, now, now)
        assert learned.limit >= 1.0


def test_the_board_admits_no_more_than_is_borne_and_reset_forgets_it() -> None:
    board = HealthBoard()
    board.register("a", Address("at", "m"))
    permits = [board.admit("a", 0.0) for _ in range(10)]
    board.settle(permits[0], REFUSED, 1.0)
    for permit in permits[1:]:
        board.settle(permit, Verdict(ok=False, neutral=True), 1.0)
    taken = [board.admit("a", 2.0) for _ in range(9)]
    assert isinstance(taken[-1], Hold)
    assert taken[-1].reason == "full: 8 calls in flight, limit 8, learned from refusals (429, 529) under load"
    assert board.snapshot(2.0)[0]["concurrency_limit"] == 8
    board.reset("a", 2.0)
    assert not isinstance(board.admit("a", 2.0), Hold)
    assert board.snapshot(2.0)[0]["concurrency_limit"] is None


def test_it_may_be_switched_off() -> None:
    board = HealthBoard(learns_limits=False)
    board.register("a", Address("at", "m"))
    permits = [board.admit("a", 0.0) for _ in range(10)]
    board.settle(permits[0], REFUSED, 1.0)
    assert not isinstance(board.admit("a", 2.0), Hold)


def test_a_stated_limit_is_never_exceeded() -> None:
    board = HealthBoard()
    board.register("a", Address("at", "m"), limits={"concurrency": 2})
    permits = [board.admit("a", 0.0) for _ in range(2)]
    board.settle(permits[0], REFUSED, 1.0)
    board.settle(permits[1], FINE, 1.0)
    for _ in range(50):
        permit = board.admit("a", 2.0)
        board.settle(permit, FINE, 3.0)
    assert [isinstance(board.admit("a", 4.0), Hold) for _ in range(3)] == [False, False, True]


def heard(*ttfts: float, in_flight: int = 20, sent_at: float = 0.0) -> ConcurrencyLimit:
    learned = ConcurrencyLimit()
    for ttft in ttfts:
        learned.answered(in_flight, ttft, sent_at, 1.0)
    return learned


def until_cut(usual: float, late: float) -> int:
    """How many late answers it takes, after 60 that were as usual; 100 = more."""
    return next((n for n in range(1, 100) if heard(*[usual] * 60, *[late] * n).limit < math.inf), 100)


def test_of_less_than_fifty_answers_it_says_nothing() -> None:
    assert heard(*[0.2] * 40, *[3.0] * 9).limit == math.inf
    assert heard(*[0.2] * 40, *[3.0] * 10).limit == 18.0


def test_late_is_twice_the_usual_and_a_tenth_of_a_second() -> None:
    assert until_cut(0.01, 0.25) == 5
    assert until_cut(0.01, 0.1) == 100
    assert until_cut(1.0, 2.0) == 100


def test_the_first_answer_is_the_usual_one_until_others_outweigh_it() -> None:
    assert heard(*[1.0] * 49, 7.0).limit == math.inf
    assert heard(*[1.0] * 49, 9.0).limit == 18.0
    assert heard(100.0, *[1.0] * 48, 9.0).limit == math.inf


def test_what_was_sent_before_a_cut_cuts_no_more_and_what_was_sent_with_it_does() -> None:
    learned = heard(*[0.2] * 60, 3.0)
    assert learned.limit == 18.0
    learned.answered(20, 3.0, 0.9, 5.0)
    assert learned.limit == pytest.approx(18.0 + 1 / 18)  # an answer at the limit, late or not
    learned.answered(20, 3.0, 1.0, 5.0)
    assert learned.limit == pytest.approx((18.0 + 1 / 18 + 1 / (18.0 + 1 / 18)) * 0.9)
    refused = ConcurrencyLimit()
    refused.refused(20, 0.0, 1.0)
    refused.refused(20, 1.0, 2.0)
    assert refused.limit == pytest.approx(12.8)


def test_four_at_once_that_are_late_are_about_something_else() -> None:
    late = [*[0.2] * 60, 3.0]
    assert heard(*late, in_flight=4).limit == math.inf
    assert heard(*late, in_flight=5).limit == 4.5


@pytest.mark.parametrize(("in_flight", "raised"), [(6, False), (7, True), (8, True)])
def test_only_answers_at_the_limit_raise_it(in_flight: int, raised: bool) -> None:
    learned = ConcurrencyLimit()
    learned.refused(10, 0.0, 1.0)
    learned.answered(in_flight, None, 1.0, 2.0)
    assert learned.limit == (8.125 if raised else 8.0)


@pytest.mark.parametrize(("now", "limit"), [(201.0, 8.0), (500.0, 8.0), (500.1, math.inf)])
def test_five_minutes_count_from_the_cut(now: float, limit: float) -> None:
    learned = ConcurrencyLimit()
    learned.refused(10, 0.0, 200.0)
    learned.answered(1, None, 200.0, now)
    assert learned.limit == limit


def test_it_says_what_a_limit_was_learned_from() -> None:
    assert [ConcurrencyLimit().why, heard(*[0.2] * 60, 3.0).why] == ["", "first tokens that came late under load"]


def test_long_inputs_are_not_taken_for_late_ones() -> None:
    """Every tenth call has a document that takes five seconds to read; now and then eight come together."""
    learned = ConcurrencyLimit()
    for i in range(2_000):
        long = i % 10 == 0 or i % 400 < 8
        learned.answered(20, 5.4 if long else 0.4, float(i), float(i), 100_000 if long else 200)
    assert learned.limit == math.inf


def test_a_queue_at_the_provider_is_seen_among_inputs_of_any_size() -> None:
    learned = ConcurrencyLimit()
    for i in range(310):
        size, queue = 100_000 if i % 10 == 0 else 200, 3.0 if i >= 300 else 0.0
        learned.answered(20, queue + 0.4 + size / 20_000, float(i), float(i), size)
    assert learned.limit <= 18.0


def test_sizes_that_say_nothing_of_waits_change_nothing() -> None:
    learned = ConcurrencyLimit()
    for i in range(300):
        learned.answered(20, 0.2, float(i), float(i), 100 + 7_919 * i % 5_000)
    assert learned.limit == math.inf
    for i in range(300, 305):
        learned.answered(20, 1.0, float(i), float(i), 100 + 7_919 * i % 5_000)
    assert learned.limit < 20.0


def test_after_a_reset_refusals_of_calls_that_were_sent_before_teach_no_limit() -> None:
    board = HealthBoard(seed=1)
    board.register("m", Address("u", "m"))
    early = [board.admit("m", 1.0) for _ in range(9)]
    refused = Verdict(ok=False, blame="gate", overloaded=True)
    for number, permit in enumerate(early):
        assert isinstance(permit, Permit)
        board.settle(permit, refused, 2.0)
        if number == 0:
            assert board.snapshot(2.0)[0]["concurrency_limit"] == 7
            board.reset("m", 2.0)
        assert board.snapshot(2.0)[0]["concurrency_limit"] is None
    late = [board.admit("m", 3.0) for _ in range(9)]
    assert isinstance(late[0], Permit)
    board.settle(late[0], refused, 4.0)
    assert board.snapshot(4.0)[0]["concurrency_limit"] == 7
