"""What is not said of a call is not held against anybody."""

from types import SimpleNamespace
from typing import Any

from capability_router.health.permit import Permit, Verdict


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
