"""What is left of a provider's limits, as the headers of its answers tell: at the board."""

import sys
from types import ModuleType
from typing import NamedTuple

import pytest
from unit.health.test_board import OK, URL, board, call, free, hold

from capability_router.address import Address
from capability_router.health.board import Hold, Permit, Verdict


class Said(NamedTuple):
    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    limit_tokens: int | None = None
    reset_requests_s: float | None = None
    reset_tokens_s: float | None = None


@pytest.mark.parametrize(
    ("said", "until"),
    [
        (Said(), 0.0),
        (Said(3, 500, reset_requests_s=9.0), 0.0),
        (Said(0, 500, reset_requests_s=9.0, reset_tokens_s=50.0), 19.0),
        (Said(5, 0, reset_requests_s=9.0, reset_tokens_s=50.0), 60.0),
        (Said(0, 0, reset_requests_s=9.0, reset_tokens_s=50.0), 60.0),
        (Said(0), 11.0),
    ],
)
def test_where_nothing_is_left_a_model_is_full_until_the_reset_and_without_a_time_its_gate_closes(
    monkeypatch: pytest.MonkeyPatch, said: Said, until: float
):
    hints = ModuleType("hints")
    hints.rate_limits = lambda headers: said  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "capability_router.faults.rate_limit_headers", hints)
    made, told = board()
    made.note_limits("a", {}, 10.0)
    assert made.condition("a", 10.0).until == until
    assert [e.kind for e in told] == (["rate_limited"] if said == Said(0) else [])
    assert made.condition("a", 10.0).waits is (until > 11.0)
    assert free(made, 10.0)[-3:] == ["b", "c", "d"]


def test_rate_limit_headers_correct_the_allowance(monkeypatch: pytest.MonkeyPatch):
    hints = ModuleType("hints")
    hints.rate_limits = lambda headers: Said(1, 800)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "capability_router.faults.rate_limit_headers", hints)
    made, _ = board(rpm=100, tpm=10_000)
    call(made, "a", OK, 10.0, tokens=1000)
    assert made.condition("a", 10.0).queue_s == 0.0
    made.note_limits("a", {}, 10.0)
    call(made, "a", OK, 10.0, tokens=800)
    assert hold(made, "a", 10.0).kind == "full"
    assert made.condition("a", 10.0).queue_s > 0.0


def test_a_nearly_spent_allowance_is_seen_at_once_when_planning(monkeypatch: pytest.MonkeyPatch):
    hints = ModuleType("hints")
    hints.rate_limits = lambda headers: Said(5, 50)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "capability_router.faults.rate_limit_headers", hints)
    made, _ = board(tpm=6000)
    call(made, "a", OK, 10.0, tokens=1000)
    assert made.condition("a", 10.0).queue_s == 0.0
    made.note_limits("a", {}, 10.0)
    assert made.condition("a", 10.0).queue_s == pytest.approx(0.5)


def test_where_the_limit_is_stated_too_nothing_left_is_refilled_evenly():
    made, told = board()
    none = {"x-ratelimit-limit-requests": "120", "x-ratelimit-remaining-requests": "0"}
    made.note_limits("a", {**none, "x-ratelimit-reset-requests": "60s"}, 10.0)
    assert hold(made, "a", 10.0).until == pytest.approx(10.5, abs=0.01)
    assert isinstance(made.admit("a", 10.6), Permit)
    assert hold(made, "a", 10.6).until == pytest.approx(11.0, abs=0.02)
    assert not told


@pytest.mark.parametrize("what", ["requests", "tokens"])
@pytest.mark.parametrize("reset", [{}, {"reset": "60s"}])
def test_a_limit_of_nothing_is_none(what: str, reset: dict[str, str]):
    made, told = board(rpm=10, tpm=1000)
    said = {"limit": "0", "remaining": "0", **reset}
    made.note_limits("a", {f"x-ratelimit-{name}-{what}": value for name, value in said.items()}, 10.0)
    assert isinstance(made.admit("a", 10.0, 100), Permit)
    assert not told


LEFT = {
    "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "57s",
    "x-ratelimit-limit-tokens": "60001", "x-ratelimit-remaining-tokens": "30000", "x-ratelimit-reset-tokens": "30s",
}  # fmt: skip


def test_what_a_provider_says_is_left_holds_a_burst_before_it_refuses():
    made, told = board()
    made.register("a2", Address(URL, "big", "key-1"))
    made.note_limits("a", LEFT, 10.0)
    permits = [made.admit("a", 10.0), made.admit("a2", 10.0)]
    assert all(isinstance(permit, Permit) for permit in permits)
    for id in ("a", "a2"):
        text = "full: its provider reports nothing left for another 1.0 s"
        assert hold(made, id, 10.0) == Hold(text, 11.0, "full", f"ask the provider of {id} for higher limits")
        assert made.condition(id, 10.0).queue_s == 1.0
    assert free(made, 10.0) == ["b", "c", "d"]
    assert not told
    call(made, "a", OK, 11.0)


def test_tokens_that_are_left_hold_what_is_larger():
    made, _ = board()
    made.note_limits("a", LEFT, 10.0)
    assert hold(made, "a", 10.0, 31_000).until == 11.0
    call(made, "a", OK, 10.0, 30_000)


def test_it_is_an_estimate_that_is_passed_for_want_of_another_and_forgotten_by_a_reset():
    made, _ = board()
    made.note_limits("a", {**LEFT, "x-ratelimit-remaining-requests": "1"}, 10.0)
    call(made, "a", OK, 10.0)
    assert isinstance(made.admit("a", 10.0), Hold)
    assert isinstance(made.admit_over_learned_limit("a", 10.0), Permit)
    made.reset("a", 10.0)
    assert isinstance(made.admit("a", 10.0), Permit)


def test_a_providers_own_headers_are_understood():
    made, _ = board()
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    made.note_limits("a", headers, 10.0)
    text = "full: its provider reports nothing left for another 90 s"
    assert hold(made, "a", 10.0) == Hold(text, 100.0, "full", "ask the provider of a for higher limits")
    made.note_limits("c", {"content-type": "text/plain"}, 10.0)
    assert not made.condition("c", 10.0).held


def test_a_row_tells_why_a_model_is_disabled_and_how_often_calls_ended_so() -> None:
    made, _ = board()
    permit = made.admit("a", 1.0)
    made.settle(permit, Verdict(ok=False, blame="credential", detail="rejected the credential (401)"), 2.0)
    row = made.snapshot(3.0)[0]
    assert "401" in row["disabled_why"]
    assert row["disabled"] == 1
