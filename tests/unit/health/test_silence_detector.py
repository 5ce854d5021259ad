"""Calls under way that are silent for far longer than usual: when others go first for them, and when no longer."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from capability_router.address import Address
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Permit, Verdict
from capability_router.health.latency import Latency
from capability_router.health.silence_detector import SilenceDetector

STREAMED = Verdict(True, ttft_s=1.0, elapsed_s=3.0, output_tokens=50, tokens=60)
WHOLE = Verdict(True, elapsed_s=4.0, output_tokens=50, tokens=60, whole=True)
CUT = Verdict(False, blame="breaker", elapsed_s=12.0, slow=True)
DOWN = Verdict(False, blame="breaker", elapsed_s=0.1)
GONE = Verdict(False, neutral=True)
KNOWN = 20
PREFERRED = "; other models are preferred until one is heard"


class Watched:
    """A model `a` that is heard after 1.0 s as a rule, `twin` behind its breaker, `b` beside it. It begins at 100 s."""

    def __init__(self, known: int = KNOWN, verdict: Verdict = STREAMED, **settings: object) -> None:
        self.events: list[HealthEvent] = []
        self.worked = 0.0
        self.board = HealthBoard(
            BreakerConfig(), seed=1, on_event=self.events.append, worked=lambda: self.worked, **settings
        )  # fmt: skip
        self.board.register("a", Address("https://x", "m", "1"))
        self.board.register("twin", Address("https://x", "m", "2"))
        self.board.register("b", Address("https://x", "n", "1"))
        for _ in range(known):
            self.end(self.begin(10.0, tokens=10), 13.0, verdict)
        self.events.clear()

    def begin(self, at: float, *, tokens: int = 10, whole: bool = False, id: str = "a") -> Permit:
        permit = self.board.admit(id, at, tokens)
        assert isinstance(permit, Permit)
        permit.whole = whole
        return permit

    def end(self, permit: Permit, at: float, verdict: Verdict) -> None:
        self.board.settle(permit, verdict, at)

    def held(self, at: float, id: str = "a") -> str:
        return self.board.condition(id, at).held

    @property
    def told(self) -> list[tuple[str, str, float]]:
        return [(event.kind, event.model, event.at) for event in self.events]


def test_two_calls_that_are_silent_for_twice_the_usual_time_have_others_go_first() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    assert seen.held(102.4) == ""
    assert seen.held(102.6) == f"2 calls silent for up to 2.6 s, usually 1.0 s at most{PREFERRED}"
    assert seen.told == [("degraded", "a", 102.6)]
    assert seen.events[0].detail == seen.held(102.6)
    assert isinstance(seen.board.admit("a", 102.6, 10), Permit), "nothing is forbidden"


def test_health_shows_it() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    row = seen.board.snapshot(103.0)[0]
    assert row["held"].startswith("2 calls silent for up to 3.0 s")
    assert (row["held_by"], row["state"], row["held_for_s"]) == ("degraded", "closed", pytest.approx(29.0))


def test_one_call_is_none_but_where_another_has_just_failed() -> None:
    seen = Watched()
    seen.begin(100.0)
    assert seen.held(111.0) == ""
    failed = Watched()
    failed.end(failed.begin(99.0), 99.5, DOWN)
    failed.begin(100.0)
    assert failed.held(101.9) == ""
    assert failed.held(102.1) == f"1 call silent for 2.1 s, usually 1.0 s at most{PREFERRED}"


def test_a_failure_that_is_long_ago_does_not_make_one_enough() -> None:
    seen = Watched()
    seen.end(seen.begin(60.0), 60.5, DOWN)
    seen.begin(100.0)
    assert seen.held(103.0) == ""


def test_it_is_over_as_soon_as_one_is_heard() -> None:
    seen = Watched()
    first, second = seen.begin(100.0), seen.begin(100.5)
    assert seen.held(103.0)
    first.heard()
    assert seen.held(103.1) == "", "one is left, and one is not enough"
    assert seen.told[1:] == [("recovered", "a", 103.1)]
    assert seen.events[1].detail == "its calls are heard, or over"
    seen.begin(103.2)
    assert seen.held(105.3), "the one that is left, and a new one"
    second.heard()
    assert seen.held(105.4) == ""


def test_calls_that_are_answered_show_that_it_is_those_two_that_are_slow() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    seen.end(seen.begin(101.0), 102.0, STREAMED)
    assert seen.held(103.0) == ""
    seen.begin(103.0)
    assert seen.held(105.5) == "", "of those begun since the last that was heard it is the only one"
    seen.begin(103.5)
    assert seen.held(105.6)


def test_what_was_begun_before_them_and_is_heard_tells_nothing() -> None:
    seen = Watched()
    before = seen.begin(99.9)
    seen.begin(100.0)
    seen.begin(100.5)
    before.heard()
    assert seen.held(103.0)


@pytest.mark.parametrize("verdict", [DOWN, GONE, CUT])
def test_a_call_that_fails_or_is_given_up_was_not_heard(verdict: Verdict) -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    seen.end(seen.begin(101.0), 102.0, verdict)
    assert seen.held(103.0)


def test_a_refusal_was_heard() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    seen.end(seen.begin(101.0), 101.1, Verdict(False, blame="quality"))
    assert seen.held(103.0) == ""


def test_longer_inputs_may_take_longer() -> None:
    seen = Watched()
    seen.begin(100.0, tokens=20_000)
    seen.begin(100.0, tokens=20_000)
    assert seen.held(105.9) == "", "1 s, and 2 s to read it"
    assert seen.held(106.1)


def test_of_calls_whose_size_is_unknown_nobody_knows_what_is_usual() -> None:
    seen = Watched()
    seen.begin(100.0, tokens=0)
    seen.begin(100.0, tokens=0)
    assert seen.held(120.0) == ""


def test_nor_of_a_model_of_which_too_little_is_known() -> None:
    seen = Watched(known=KNOWN - 1)
    last = seen.begin(99.0)
    seen.begin(100.0)
    late = seen.begin(100.5)
    assert seen.held(103.0) == ""
    seen.end(last, 103.0, STREAMED)
    assert seen.held(103.5) == "", "it is asked again after a second"
    assert seen.held(104.0)
    late.heard()
    assert seen.held(104.1) == ""


def test_nobody_is_silent_before_a_second_is_over() -> None:
    seen = Watched(verdict=replace(STREAMED, ttft_s=0.1, elapsed_s=0.2))
    seen.begin(100.0)
    seen.begin(100.0)
    assert seen.held(100.9) == ""
    assert seen.held(101.1)


def test_a_reply_that_is_no_stream_is_silent_for_as_long_as_answers_take() -> None:
    seen = Watched(verdict=WHOLE)
    seen.begin(100.0, whole=True)
    seen.begin(100.0, whole=True)
    assert seen.held(107.9) == ""
    assert seen.held(108.1).startswith("2 calls silent for up to 8.1 s, usually 4.0 s at most")


def test_streams_of_a_model_whose_streams_are_unknown_too() -> None:
    seen = Watched(verdict=WHOLE)
    seen.begin(100.0)
    seen.begin(100.0)
    assert seen.held(107.9) == ""
    assert seen.held(108.1)


def test_what_this_process_worked_meanwhile_is_not_the_models_silence() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.0)
    seen.worked = 5.0
    assert seen.held(106.9) == ""
    assert seen.held(107.1)


def test_so_it_is_where_limits_are_not_learned() -> None:
    seen = Watched(learns_limits=False)
    seen.begin(100.0)
    seen.begin(100.0)
    seen.worked = 5.0
    assert seen.held(106.9) == ""
    assert seen.held(107.1)


def test_calls_without_a_time_limit_keep_nobody_away_for_ever() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(101.0)
    assert seen.held(103.1)
    assert seen.board.condition("a", 103.1).until == 132.0
    assert seen.held(131.9)
    assert seen.held(132.1) == ""
    assert seen.told == [("degraded", "a", 103.1), ("recovered", "a", 132.1)]


def test_who_shares_the_breaker_shares_it_and_nobody_else() -> None:
    seen = Watched()
    for _ in range(KNOWN):
        seen.end(seen.begin(13.0, id="twin"), 16.0, STREAMED)
    seen.begin(100.0)
    seen.begin(100.5, id="twin")
    assert seen.held(102.6, "twin") == seen.held(102.6) != ""
    assert seen.held(102.6, "b") == ""
    assert seen.told == [("degraded", "twin", 102.6)]


def test_a_twin_that_was_calm_hears_of_it() -> None:
    seen = Watched()
    assert seen.held(99.0, "twin") == ""
    seen.begin(100.0)
    seen.begin(100.5)
    assert seen.held(102.6)
    assert seen.held(102.6, "twin")


def test_when_their_time_is_over_failures_are_what_speaks_and_nothing_is_told_anew() -> None:
    seen = Watched()
    one, other = seen.begin(100.0), seen.begin(100.5)
    assert seen.held(103.0)
    seen.end(one, 112.0, CUT)
    seen.end(other, 112.5, CUT)
    assert seen.held(112.6) == "2 of the last 8 calls failed; other models are preferred for another 2.4 s"
    assert seen.told == [("degraded", "a", 103.0)]
    assert seen.held(115.0) == ""
    assert seen.events[-1][:3] == ("recovered", "a", "its time is over")


def test_a_breaker_that_opens_ends_it() -> None:
    seen = Watched()
    flying = [seen.begin(100.0 + i / 10) for i in range(5)]
    assert seen.held(103.0)
    for permit in flying:
        seen.end(permit, 112.0, CUT)
    assert seen.held(112.1).startswith("breaker open")
    assert [kind for kind, _, _ in seen.told] == ["degraded", "recovered", "breaker_opened"]
    assert repr(seen.board._lanes["a"].silence) == "SilenceDetector('', flying=0)"


def test_who_asks_in_the_same_instant_hears_that_it_is_over() -> None:
    seen = Watched()
    first = seen.begin(100.0)
    seen.begin(100.5)
    assert seen.held(103.0)
    first.heard()
    assert seen.held(103.0) == ""


def test_while_a_breaker_is_open_nothing_is_told_of_silence() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    for _ in range(5):
        seen.end(seen.begin(100.6), 100.7, DOWN)
    assert seen.told[-1][0] == "breaker_opened"
    assert seen.held(103.0).startswith("breaker open for another ")
    assert seen.told[-1][0] == "breaker_opened"


def test_a_reset_forgives_what_is_under_way() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    assert seen.held(103.0)
    seen.board.reset("a", 103.0)
    assert seen.held(103.1) == ""


def test_a_child_process_has_none_of_its_parents_calls() -> None:
    seen = Watched()
    seen.begin(100.0)
    seen.begin(100.5)
    assert seen.held(103.0)
    seen.board.after_fork()
    assert seen.held(103.1) == ""
    assert seen.held(120.0) == ""


def test_calls_that_were_given_up_do_not_teach_what_is_usual() -> None:
    latency = Latency({})
    for _ in range(KNOWN):
        latency.answered(1.0, 3.0, 50, 10)
    before = latency.usual_silence_s(10, whole=False), latency.usual_silence_s(10, whole=True)
    assert before == (pytest.approx(1.0), pytest.approx(3.0))
    for _ in range(64):
        latency.timed_out(12.0, 10)
        latency.timed_out(60.0, 10, whole=True)
    latency.answered(1.0, 3.0, 50, 0)
    assert latency.usual_silence_s(0, whole=False) == pytest.approx(1.0, abs=2e-3)
    assert latency.usual_silence_s(0, whole=True) == pytest.approx(3.0, abs=2e-3)


def test_a_slow_spell_is_soon_what_is_usual() -> None:
    seen = Watched()
    for at in range(100, 106):
        seen.end(seen.begin(float(at)), at + 5.0, replace(STREAMED, ttft_s=4.0, elapsed_s=5.0))
    seen.begin(120.0)
    seen.begin(120.0)
    assert seen.held(127.9) == ""
    assert seen.held(128.1)


def test_a_new_one_knows_of_nothing() -> None:
    silence = SilenceDetector(30.0)
    assert (silence.why, silence.until, silence.next_check_at, repr(silence)) == (
        "",
        0.0,
        inf,
        "SilenceDetector('', flying=0)",
    )


def test_calls_that_were_heard_are_not_looked_at_again() -> None:
    seen = Watched()
    silence = seen.board._lanes["a"].silence
    first, _, _ = seen.begin(100.0), seen.begin(100.5), seen.begin(100.5)
    first.heard()
    assert repr(silence) == "SilenceDetector('', flying=3)"
    assert seen.held(103.0)
    assert repr(silence).endswith("flying=2)")


def test_of_calls_begun_together_one_that_is_heard_speaks_for_all() -> None:
    seen = Watched()
    one, _, _ = seen.begin(100.0), seen.begin(100.0), seen.begin(100.0)
    one.heard()
    assert seen.held(103.0) == ""


def test_it_begins_and_ends_in_the_very_moments_that_are_told() -> None:
    seen = Watched()
    silence = seen.board._lanes["a"].silence
    seen.begin(100.0)
    seen.begin(100.0)
    assert seen.held(101.0) == ""
    due = silence.next_check_at
    assert seen.held(due)
    until = seen.board.condition("a", due).until
    assert until == due + 30.0
    assert seen.held(until) == ""
    assert silence.until == 0.0


def test_what_this_process_worked_before_they_were_begun_is_no_matter() -> None:
    seen = Watched()
    seen.worked = 50.0
    seen.begin(100.0)
    seen.begin(100.0)
    assert seen.held(102.1)
