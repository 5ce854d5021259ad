"""The breaker's state table, row by row."""

import math

import pytest

from capability_router.errors import ConfigError
from capability_router.health.breaker import CLOSED, HALF_OPEN, ISOLATED, OPEN, Breaker, BreakerConfig


def breaker(draw: float = 1.0, **settings: object) -> Breaker:
    return Breaker(BreakerConfig(**settings), lambda: draw)  # type: ignore[arg-type]


def tripped(at: float = 0.0, draw: float = 1.0, **settings: object) -> Breaker:
    made = breaker(draw, **settings)
    for _ in range(made._config.consecutive):
        made.failed(made.epoch, at)
    assert made.state == OPEN
    return made


def fail_probe(made: Breaker) -> float:
    """Let one probe in at the first moment and fail it at once; the length of the new open time."""
    at = made.until
    assert made.enter(at)
    made.failed(made.epoch, at, probe=True)
    assert made.state == OPEN
    return made.until - at


def test_degrades_for_half_an_open_time_before_it_opens():
    made = breaker(open_s=8.0)
    made.failed(made.epoch, 1.0)
    assert made.degradation.until == 0.0
    made.failed(made.epoch, 2.0)
    assert (made.state, made.degradation.until, made.degradation.why) == (CLOSED, 6.0, "2 of the last 2 calls failed")
    for _ in range(3):
        made.failed(made.epoch, 3.0)
    assert (made.state, made.degradation.until, made.degradation.why) == (OPEN, 0.0, "")


def test_what_was_under_way_with_a_failure_does_not_end_a_degradation():
    made = breaker(window_s=1.0)
    made.failed(made.epoch, 1.5, since=1.1)
    made.failed(made.epoch, 2.0, since=1.2)
    made.good(made.epoch, 3.5, since=1.2)
    assert made.degradation.until == 4.5
    made.good(made.epoch, 3.5, since=1.3)
    assert made.degradation.until == 0.0
    made.failed(made.epoch, 4.0, since=1.2)
    made.failed(made.epoch, 4.0, since=1.2)
    made.good(made.epoch, 5.5)
    assert made.degradation.until == 0.0, "one of which nothing is said has begun just now"
    other = breaker(window_s=1.0)
    other.failed(other.epoch, 1.0)
    other.failed(other.epoch, 1.0)
    other.good(other.epoch, 2.5, since=0.1)
    assert other.degradation.until == 0.0, "and one that failed long ago"


def test_how_many_are_under_way_tells_how_many_failures_make_it_degrade():
    made = breaker(consecutive=9)
    for _ in range(2):
        made.failed(made.epoch, 1.0, beside=20)
    assert made.degradation.until == 0.0
    made.failed(made.epoch, 1.0, beside=20)
    assert made.degradation.until == 3.5


def test_opens_on_five_failures_in_a_row_and_not_on_four():
    made = breaker()
    for _ in range(4):
        made.failed(made.epoch, 0.0)
    made.good(made.epoch, 0.0)
    for _ in range(4):
        made.failed(made.epoch, 0.0)
    assert made.state == CLOSED
    made.failed(made.epoch, 0.0)
    assert (made.state, made.until) == (OPEN, 5.0)
    assert made.why == "5 failures in a row; open for 5.0 s"


def test_opens_on_half_of_ten_in_the_window():
    made = breaker()
    for n in range(9):
        (made.failed if n % 2 else made.good)(made.epoch, 0.0)
    assert made.state == CLOSED
    made.failed(made.epoch, 0.0)
    assert made.state == OPEN
    assert made.why.startswith("5 of 10 calls failed")


def test_less_than_half_of_ten_is_borne():
    made = breaker()
    for n in range(10):
        (made.failed if n % 3 == 2 else made.good)(made.epoch, 0.0)
    made.failed(made.epoch, 0.0)
    assert (made.state, made.window.failed, made.window.calls) == (CLOSED, 4, 11)


def test_a_good_call_never_opens_it_whatever_share_has_failed():
    made = breaker()
    for failed in (True, False, True, False, True, False, True, True):
        (made.failed if failed else made.good)(made.epoch, 0.0)
    made.good(made.epoch, 0.0)
    made.good(made.epoch, 0.0)
    assert (made.state, made.window.failed, made.window.calls) == (CLOSED, 5, 10)


def test_failures_older_than_the_window_do_not_count():
    made = breaker()
    for n in range(8):
        (made.failed if n % 2 else made.good)(made.epoch, 0.0)
    made.good(made.epoch, 31.0)
    made.failed(made.epoch, 31.0)
    assert made.state == CLOSED


def test_opens_on_slow_calls_even_when_they_succeed():
    made = breaker(slow_after_s=2.0)
    for n in range(10):
        assert made.state == CLOSED
        slow = n >= 2
        made.good(made.epoch, 0.0, slow=slow)
    assert made.state == OPEN
    assert made.why.startswith("8 of 10 calls were slow")


def test_a_few_slow_calls_are_borne_and_a_failed_one_is_slow_only_where_that_is_said():
    made = breaker(slow_after_s=2.0)
    for n in range(10):
        made.good(made.epoch, 0.0, slow=n < 7)
    made.failed(made.epoch, 0.0)
    assert (made.state, made.window.slow, made.window.calls) == (CLOSED, 7, 11)
    made.failed(made.epoch, 0.0, slow=True)
    assert made.window.slow == 8


def test_a_wait_is_slow_from_its_limit_on():
    made = breaker(slow_after_s=2.0)
    assert [made.is_slow(wait) for wait in (1.9, 2.0, None)] == [False, True, False]
    assert not breaker().is_slow(100.0)


def test_a_closed_one_lets_everything_through_and_nothing_is_a_probe():
    made = breaker()
    epoch = made.epoch
    for _ in range(5):
        assert made.held_until(7.0) == 0.0
        assert made.enter(7.0) is False
    assert (made.state, made.epoch, made.probing) == (CLOSED, epoch, 0)


def test_holds_until_the_open_time_ends_then_lets_two_probes_in():
    made = tripped()
    assert made.held_until(4.999) == 5.0
    assert made.held_until(5.0) == 0.0
    assert made.state == OPEN
    assert made.enter(5.0)
    assert made.state == HALF_OPEN
    assert made.held_until(5.0) == 0.0
    assert made.enter(5.0)
    assert made.held_until(5.0) == 6.0


def test_the_first_good_probe_closes_and_the_other_probe_is_stale():
    made = tripped()
    made.enter(5.0)
    made.enter(5.0)
    epoch = made.epoch
    made.good(epoch, 5.5, probe=True)
    assert made.state == CLOSED
    assert made.window.calls == 0
    made.failed(epoch, 5.6, probe=True)
    assert (made.state, made.in_a_row, made.probing) == (CLOSED, 0, 0)


def test_a_probe_of_an_earlier_round_changes_nothing():
    made = tripped()
    made.enter(5.0)
    made.enter(5.0)
    old = made.epoch
    made.failed(old, 6.0, probe=True)
    made.enter(made.until)
    for report in (made.good, made.failed):
        report(old, 12.0, probe=True)
        assert (made.state, made.probing) == (HALF_OPEN, 1)
    made.neutral(old, probe=True)
    assert made.probing == 1


def test_open_time_doubles_only_from_the_third_failed_probe_and_is_capped():
    made = tripped()
    lengths = [fail_probe(made) for _ in range(12)]
    assert lengths[:5] == [5.0, 5.0, 10.0, 20.0, 40.0]
    assert lengths[-3:] == [300.0, 300.0, 300.0]
    for _ in range(5000):
        fail_probe(made)
    assert made.until < math.inf


def test_a_good_probe_forgets_the_failed_ones():
    made = tripped()
    for _ in range(6):
        fail_probe(made)
    made.enter(made.until)
    made.good(made.epoch, made.until, probe=True)
    assert (made.until, made.why) == (0.0, "")
    for _ in range(5):
        made.failed(made.epoch, 10_000.0)
    assert made.until == 10_005.0
    assert [fail_probe(made) for _ in range(3)] == [5.0, 5.0, 10.0]


@pytest.mark.parametrize(("draw", "length"), [(0.0, 2.5), (0.5, 3.75), (1.0, 5.0)])
def test_half_of_the_open_time_is_drawn(draw: float, length: float):
    assert tripped(draw=draw).until == length


def test_an_abandoned_probe_gives_its_permit_back():
    made = tripped(half_open_permits=1)
    made.enter(5.0)
    assert made.held_until(5.0)
    made.neutral(made.epoch, probe=True)
    assert made.held_until(5.0) == 0.0
    assert made.state == HALF_OPEN


def test_a_forced_call_beside_a_probe_takes_nothing_from_it():
    made = tripped(half_open_permits=1, slow_after_s=1.0)
    made.enter(5.0)
    made.neutral(made.epoch)
    made.failed(made.epoch, 6.0)
    made.good(made.epoch, 6.0, slow=True)
    assert (made.state, made.probing, made.failed_probes) == (HALF_OPEN, 1, 0)
    assert made.held_until(6.0) == 7.0


def test_probes_that_never_report_lose_their_permits():
    made = tripped()
    made.enter(5.0)
    made.enter(5.0)
    lost = made.epoch
    assert made.held_until(304.9)
    assert made.held_until(305.0) == 0.0
    assert made.enter(305.0)
    assert (made.state, made.probing) == (HALF_OPEN, 1)
    assert made.epoch > lost


def test_a_child_process_has_none_of_its_parents_probes():
    made = tripped(half_open_permits=2)
    made.enter(5.0)
    made.enter(5.0)
    made.forked()
    made.enter(5.0)
    assert made.held_until(5.0) == 0.0
    made.enter(5.0)
    assert made.held_until(5.0) == 6.0


def test_what_a_parents_probe_gives_back_there_gives_nothing():
    made = tripped(half_open_permits=2)
    made.enter(5.0)
    made.forked()
    made.neutral(made.epoch, probe=True)
    made.enter(5.0)
    made.enter(5.0)
    assert made.held_until(5.0) == 6.0


def test_a_slow_probe_counts_as_failed():
    made = tripped(slow_after_s=1.0)
    made.enter(5.0)
    made.good(made.epoch, 8.0, slow=True, probe=True)
    assert made.state == OPEN


def test_a_forced_call_closes_when_good_and_changes_nothing_when_failed():
    made = tripped()
    until = made.until
    made.failed(made.epoch, 1.0)
    assert (made.state, made.until, made.failed_probes) == (OPEN, until, 0)
    made.good(made.epoch, 2.0)
    assert made.state == CLOSED


def test_isolated_lets_nothing_through_until_reset():
    made = breaker()
    made.isolate()
    for report in (made.good, made.failed):
        report(made.epoch, 1.0)
        report(made.epoch, 1.0, probe=True)
    assert (made.state, made.held_until(1e9)) == (ISOLATED, math.inf)
    made.reset()
    assert (made.state, made.held_until(0.0)) == (CLOSED, 0.0)


def test_its_states_have_the_names_that_health_shows():
    made = breaker()
    shown = [made.state]
    for _ in range(5):
        made.failed(made.epoch, 0.0)
    shown.append(made.state)
    made.enter(made.until)
    shown.append(made.state)
    made.isolate()
    assert [*shown, made.state] == ["closed", "open", "half_open", "isolated"]
    assert made.why == "isolated by an operator"
    assert repr(made) == f"Breaker(isolated, epoch={made.epoch}, probing=0)"


def test_settings_at_their_limits_are_possible():
    least = BreakerConfig(1, 1e-9, 1, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1)
    assert BreakerConfig(window_s=1e9, failure_rate=1, slow_rate=1.0).window_s == 1e9
    assert least.open_s == 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        {"consecutive": 0}, {"consecutive": 2.5}, {"min_calls": True}, {"failure_rate": 0.0}, {"failure_rate": 1.1},
        {"slow_rate": float("nan")}, {"window_s": 0}, {"open_s": -1}, {"max_open_s": float("inf")},
        {"window_s": 1.5e9}, {"open_s": "5"}, {"slow_rate": None},
        {"slow_after_s": 0.0}, {"half_open_permits": "2"},
    ],
)  # fmt: skip
def test_impossible_settings_name_themselves(wrong: dict[str, object]):
    with pytest.raises(ConfigError, match=f"health.{next(iter(wrong))} must be"):
        BreakerConfig(**wrong)  # type: ignore[arg-type]
