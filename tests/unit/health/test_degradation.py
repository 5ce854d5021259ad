"""When others go first: the rule of a few calls, its time, and what traffic makes of it."""

import random

import pytest

from capability_router.address import Address
from capability_router.health.board import HealthBoard, Permit, Verdict
from capability_router.health.degradation import Degradation

OK, DOWN = Verdict(True, elapsed_s=0.1), Verdict(False, blame="breaker")


def degradation(window_s: float = 30.0, length_s: float = 2.0) -> Degradation:
    return Degradation(window_s, length_s)


def goods(made: Degradation, count: int, now: float, since: float | None = None) -> None:
    for _ in range(count):
        made.good(now if since is None else since, now)


def test_one_failure_is_none():
    made = degradation()
    made.failed(1.0, 1, 1.0)
    goods(made, 7, 1.0)
    assert (made.until, made.why) == (0.0, "")


def test_two_of_eight_calls_are_enough_however_many_went_well_before():
    made = degradation()
    goods(made, 100, 1.0)
    made.failed(1.0, 1, 1.0)
    goods(made, 6, 1.0)
    made.failed(2.0, 1, 2.0)
    assert (made.until, made.why) == (4.0, "2 of the last 8 calls failed")
    assert repr(made) == "Degradation('2 of the last 8 calls failed', until=4.000)"


def test_what_is_told_counts_the_failures_of_the_last_eight_calls_alone():
    made = degradation()
    for at in (1.0, 2.0, 3.0):
        made.failed(at, 1, at)
        goods(made, 3, at)
    assert made.why == "2 of the last 8 calls failed"


def test_two_of_nine_are_not():
    made = degradation()
    made.failed(1.0, 1, 1.0)
    goods(made, 7, 1.0)
    made.failed(2.0, 1, 2.0)
    assert made.until == 0.0


@pytest.mark.parametrize(
    ("beside", "needed"), [(1, 2), (8, 2), (13, 2), (14, 3), (20, 3), (21, 4), (100, 15), (9999, 256)]
)
def test_where_many_are_under_way_a_share_of_them_has_to_fail(beside: int, needed: int):
    made = degradation()
    for _ in range(needed - 1):
        made.failed(1.0, beside, 1.0)
    assert made.until == 0.0
    made.failed(1.0, beside, 1.0)
    assert made.until == 3.0


def test_failures_count_among_as_many_calls_as_are_under_way():
    made = degradation()
    for _ in range(2):
        made.failed(1.0, 20, 1.0)
    goods(made, 17, 1.0)
    made.failed(1.0, 20, 1.0)
    assert made.why == "3 of the last 20 calls failed"
    made.clear()
    for _ in range(2):
        made.failed(1.0, 20, 1.0)
    goods(made, 18, 1.0)
    made.failed(1.0, 20, 1.0)
    assert made.until == 0.0


def test_failures_older_than_the_window_do_not_count():
    made = degradation(window_s=10.0)
    made.failed(1.0, 1, 1.0)
    made.failed(11.5, 1, 11.5)
    assert made.until == 0.0
    made.failed(21.5, 1, 21.5)
    assert made.why == "2 of the last 3 calls failed"


def test_each_further_failure_puts_its_end_off():
    made = degradation()
    made.failed(1.0, 1, 1.0)
    made.failed(1.0, 1, 1.0)
    made.failed(2.5, 1, 2.5)
    assert made.until == 4.5


def test_good_calls_begun_after_the_last_that_failed_end_it():
    made = degradation()
    made.failed(0.5, 1, 1.0)
    made.failed(0.7, 1, 1.0)
    made.failed(0.6, 1, 1.0)
    goods(made, 20, 1.5, since=0.7)
    assert made.until == 3.0, "they tell of the same time"
    goods(made, 1, 1.6, since=0.8)
    assert made.until == 0.0


def test_a_good_call_does_not_end_it_while_two_of_eight_have_failed():
    made = degradation()
    made.failed(1.0, 1, 1.0)
    made.failed(1.0, 1, 1.0)
    goods(made, 6, 2.0)
    assert made.until == 3.0
    goods(made, 1, 2.0)
    assert made.until == 0.0


def test_nor_while_too_many_have_failed_of_as_many_as_were_under_way():
    made = degradation()
    made.failed(1.0, 20, 1.0)
    for beside in (20, 20, 19):
        made.failed(1.0, beside, 1.0)
    goods(made, 17, 2.0)
    assert made.until == 3.0
    goods(made, 1, 2.0)
    assert made.until == 0.0


def test_how_many_were_under_way_is_of_this_degradation():
    made = degradation()
    for _ in range(3):
        made.failed(1.0, 20, 1.0)
    goods(made, 20, 3.0, since=1.0)
    for _ in range(4):
        made.failed(3.0, 1, 3.0)
    goods(made, 6, 3.6)
    assert made.until == 5.0
    goods(made, 1, 3.6)
    assert made.until == 0.0


def test_it_remembers_as_many_failures_as_it_ever_needs():
    made = degradation()
    for _ in range(1000):
        made.failed(1.0, 1, 1.0)
    assert len(made._failures) == 256


def test_further_failures_during_it_do_not_lengthen_it():
    made = degradation()
    for _ in range(9):
        made.failed(1.0, 1, 1.0)
    assert made.until == 3.0


def test_one_that_is_over_comes_back_with_the_next_failure():
    made = degradation()
    for at in (1.0, 1.0, 3.0):
        made.failed(at, 1, at)
    assert made.until == 5.0
    goods(made, 6, 6.0)
    made.failed(6.0, 1, 6.0)
    assert made.until == 8.0


def test_one_that_good_calls_ended_begins_anew_with_the_second_failure():
    made = degradation()
    made.failed(1.0, 1, 1.0)
    made.failed(1.0, 1, 1.0)
    goods(made, 7, 1.5)
    assert made.until == 0.0
    made.failed(1.5, 1, 1.5)
    assert made.until == 0.0
    made.failed(1.5, 1, 1.5)
    assert made.until == 3.5


def test_cleared_it_is_as_new():
    made = degradation()
    for at in (1.0, 1.0, 3.5):
        made.failed(at, 1, at)
    made.clear()
    made.failed(4.0, 1, 4.0)
    assert (made.until, made.why) == (0.0, "")
    made.failed(4.0, 1, 4.0)
    assert (made.until, made.why) == (6.0, "2 of the last 2 calls failed")


class Traffic:
    """Waves of calls over a board in virtual time; whose model is held goes elsewhere. A wave ends in any order."""

    def __init__(self, seed: int, share: float) -> None:
        self.random, self.share = random.Random(seed), share
        self.board = HealthBoard(seed=seed)
        self.board.register("a", Address("http://a", "m"))
        self.now = 100.0
        self.wasted = self.away = self.asked = 0
        self.cooldown_wasted, self.cooldown_until = 0, 0.0

    def wave(self, at_once: int, pause_s: float, share: float) -> None:
        fails = [self.random.random() < share for _ in range(at_once)]
        ends = sorted((self.now + self.random.uniform(0.003, 0.06), failed) for failed in fails)
        self._cooled(sum(fails))
        self.asked += at_once
        if self.board.condition("a", self.now).held:
            self.away += at_once
        else:
            permits = [permit for _ in fails if isinstance(permit := self.board.admit("a", self.now), Permit)]
            assert len(permits) == at_once
            for (at, failed), permit in zip(ends, permits, strict=True):
                self.wasted += failed
                self.board.settle(permit, DOWN if failed else OK, at)
        self.now += pause_s

    def _cooled(self, failures: int) -> None:
        """The rule to compare with: two failures, and nobody calls for half a minute."""
        if self.now >= self.cooldown_until:
            self.cooldown_wasted += failures
            if failures >= 2 or self.cooldown_wasted >= 2:
                self.cooldown_until = self.now + 30.0


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(("at_once", "waves", "pause_s"), [(20, 5, 0.1), (1, 100, 0.012)])
def test_of_a_burst_of_failures_no_more_is_wasted_than_by_two_failures_and_a_long_time_away(
    share: float, at_once: int, waves: int, pause_s: float
):
    wasted, least = 0, 0
    for seed in range(100):
        traffic = Traffic(seed, share)
        for _ in range(40 // at_once):
            traffic.wave(at_once, pause_s, 0.0)
        for _ in range(waves):
            traffic.wave(at_once, pause_s, share)
        wasted, least = wasted + traffic.wasted, least + traffic.cooldown_wasted
    assert wasted <= 1.06 * least


@pytest.mark.parametrize(("at_once", "most_away"), [(1, 0.02), (5, 0.05), (20, 0.15)])
def test_a_busy_model_that_fails_once_in_fifty_calls_is_left_alone_for_a_small_part_of_the_time(
    at_once: int, most_away: float
):
    asked = away = 0
    for seed in range(10):
        traffic = Traffic(seed, 0.02)
        for _ in range(2000 // at_once):
            traffic.wave(at_once, 1.0, 0.02)
        asked, away = asked + traffic.asked, away + traffic.away
    assert 0 < away < most_away * asked
