"""Not-before times from 429s."""

import pytest

from capability_router.health.gates import RateLimitGate, ReportedQuota


def test_the_providers_hint_is_obeyed_and_never_shortened():
    gate = RateLimitGate()
    gate.refused(100.0, 99.0, 30.0)
    assert gate.until == 130.0
    gate.refused(101.0, 99.0, 2.0)
    assert gate.until == 130.0


def test_without_a_hint_the_guess_doubles_to_a_minute():
    gate, now, waits = RateLimitGate(), 100.0, []
    for _ in range(20):
        gate.refused(now, now, None)
        waits.append(gate.until - now)
        now = gate.until
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert waits[-1] == 60.0


def test_a_burst_in_flight_counts_once():
    gate = RateLimitGate()
    for n in range(50):
        gate.refused(100.0 + n * 0.001, 99.0, None)
    assert gate.until == 101.0


def test_senseless_hints_are_none():
    for hint in (0.0, -5.0, float("nan")):
        gate = RateLimitGate()
        gate.refused(100.0, 99.0, hint)
        assert gate.until == 101.0


def test_a_hint_beyond_an_hour_is_looked_at_after_an_hour():
    gate = RateLimitGate()
    gate.refused(100.0, 99.0, 4_294_967.0)
    assert gate.until == 3700.0


def test_an_answer_to_a_later_call_opens_and_to_an_earlier_one_does_not():
    gate = RateLimitGate()
    gate.refused(100.0, 99.0, 30.0)
    gate.passed(99.5)
    assert gate.until == 130.0
    gate.passed(100.5)
    assert gate.until == 0.0
    gate.refused(200.0, 199.0, None)
    assert gate.until == 201.0


def told(left: int, limit: int | None, whole_in_s: float, now: float = 100.0) -> ReportedQuota:
    allowance = ReportedQuota()
    allowance.told(left, limit, whole_in_s, now)
    return allowance


def admitted(allowance: ReportedQuota, now: float, most: int = 50) -> int:
    """How many calls of one are let in at once."""
    for count in range(most):
        if allowance.wait_s(1.0, now):
            return count
        allowance.take(1.0, now)
    return most


def test_of_what_was_told_no_more_is_let_in():
    allowance = told(7, None, 9.0)
    assert admitted(allowance, 101.0) == 7
    assert allowance.wait_s(1.0, 101.0) == 8.0
    assert admitted(allowance, 109.0) == 50


def test_the_answers_of_a_burst_may_come_in_any_order():
    for order in ([6, 5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5, 6], [3, 6, 0, 5, 1, 4, 2]):
        allowance = told(7, 8, 1e6)
        assert admitted(allowance, 100.0) == 7
        for at, left in enumerate(order[:-1]):
            allowance.end(1.0)
            allowance.told(left, 8, 1e6, 100.0 + 1e-3 * at, sent_at=100.0)
        assert admitted(allowance, 100.0) == 0  # none is left, whichever said so, and when


def test_an_answer_to_a_call_sent_after_the_last_one_came_says_how_it_is_now():
    allowance = told(2, None, 9.0)
    allowance.told(5, None, 9.0, 101.0, sent_at=99.9)
    assert allowance.left(101.0) == 2
    allowance.told(1, None, 9.0, 102.0, sent_at=99.9)
    assert allowance.left(102.0) == 1
    allowance.told(5, None, 9.0, 103.0, sent_at=102.0)
    assert allowance.left(103.0) == 5


def test_where_the_limit_is_known_it_fills_up_evenly_and_goes_on_for_a_minute():
    allowance = told(0, 11, 5.0)  # it may have been 0.99: what fills up is ten, in any case
    assert allowance.wait_s(1.0, 100.0) == 0.5
    assert admitted(allowance, 101.0) == 2
    assert admitted(allowance, 140.0) == 11
    assert allowance.wait_s(1.0, 140.0) == 0.5
    assert admitted(allowance, 165.0) == 50


def test_what_is_larger_than_the_limit_may_pass_when_it_is_whole():
    allowance = told(4_000, 10_001, 6.0)
    assert allowance.wait_s(25_000.0, 100.0) == pytest.approx(6.001)
    assert allowance.wait_s(25_000.0, 106.002) == 0.0


def test_one_that_is_nearly_whole_fills_up_all_the_same():
    assert told(9, 10, 2.0).wait_s(9.5, 100.0) == 2.0


def test_what_is_under_way_is_known_before_anything_is_told():
    allowance = ReportedQuota()
    assert admitted(allowance, 100.0, most=3) == 3
    allowance.told(5, None, 9.0, 100.0)
    assert admitted(allowance, 100.0) == 2
    for _ in range(5):
        allowance.end(1.0)
    allowance.told(5, None, 9.0, 100.0)
    assert admitted(allowance, 100.0) == 5


def test_a_limit_that_is_whole_says_nothing_of_its_speed():
    allowance = told(10, 10, 0.0)
    assert admitted(allowance, 100.0) == 10
    assert admitted(allowance, 100.01) == 50


def test_a_late_refusal_does_not_close_what_a_later_call_has_proved_open():
    gate = RateLimitGate()
    gate.refused(100.0, 99.0, None)
    gate.passed(101.5)
    gate.refused(103.0, 99.0, None)
    assert gate.until == 0.0
    gate.refused(104.0, 103.5, None)
    assert gate.until == 105.0
