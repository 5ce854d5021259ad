"""What is not said of a call is not held against anybody."""

from types import SimpleNamespace
from typing import Any

from capability_router.health.permit import Hold, Permit, Verdict
from capability_router.health.silence_detector import SilenceDetector


def test_a_verdict_without_more_blames_nobody_and_counts_nothing() -> None:
    bare = Verdict(True)
    assert (bare.neutral, bare.blame, bare.slow, bare.overloaded) == (False, "none", False, False)
    assert (bare.tokens, bare.output_tokens, bare.detail) == (0, 0, "")
    assert (bare.retry_after_s, bare.ttft_s, bare.elapsed_s) == (None, None, None)


def test_a_permit_is_neither_forced_nor_settled_and_says_so_when_it_is() -> None:
    lane: Any = SimpleNamespace(id="a")
    permit = Permit(lane, 3, False, 100, 7.0)
    assert (permit.id, permit.forced, permit.settled, permit.tokens, permit.taken_at) == ("a", False, False, 100, 7.0)
    assert repr(permit) == "Permit('a', epoch=3)"
    permit.settled = True
    assert repr(Permit(lane, 4, True, 0, 0.0, forced=True)) == "Permit('a', epoch=4, half_open, forced)"
    assert repr(permit) == "Permit('a', epoch=3, settled)"


def test_a_hold_in_a_word() -> None:
    assert Hold("full", 1.0, "full").by == "full"
    assert Hold("full", 1.0, "full", learned=True).by == "learned_limit"


def test_a_call_is_silent_until_it_is_heard_and_the_newest_that_was_counts() -> None:
    silence = SilenceDetector(30.0)
    lane: Any = SimpleNamespace(id="a", silence=silence)
    older, newer = Permit(lane, 1, False, 10, 5.0), Permit(lane, 1, False, 10, 10.0)
    assert (older.silent, older.whole, older.worked) == (True, False, 0.0)
    newer.heard()
    assert (newer.silent, silence.heard_since) == (False, 10.0)
    older.heard()
    assert (older.silent, silence.heard_since) == (False, 10.0)
