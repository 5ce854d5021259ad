"""Refused credentials and unknown models at the board: whom they hold, and how they come back."""

from dataclasses import replace

import pytest
from unit.health.test_board import DOWN, LIMITED, OK, URL, board, call, free, hold

from capability_router.address import Address
from capability_router.health.board import HealthBoard, Hold, Permit, Verdict


def test_a_rejected_credential_disables_all_behind_it_at_that_place():
    made, told = board()
    assert made.barred(0.0) == {}
    assert made.barred(0.0) is made.barred(1e9)
    call(made, "a", Verdict(False, blame="credential", detail="rejected the credential (401)"), 10.0)
    assert {id: ban.what for id, ban in made.barred(10.0).items()} == {"a": "credential", "c": "credential"}
    held = hold(made, "c", 10.0)
    assert held.until is not None
    assert 40.0 <= held.until <= 70.0
    reason = f"credential disabled: rejected the credential (401); tried again in {held.until - 10.0:.0f} s"
    mend = "fix the key or name of c and call router.reset('c')"
    assert held == Hold(reason, held.until, "disabled", mend)
    assert made.barred(10.0)["c"].told("c", 10.0) == f"{reason}, or at once after router.reset('c')"
    assert made.condition("c", 10.0).until == held.until
    assert isinstance(made.force("c", 10.0), Hold)
    assert free(made, held.until - 0.1) == ["b", "d"]
    made.reset("c")
    assert made.barred(10.0) == {}
    assert free(made, 10.0) == ["a", "b", "c", "d"]
    assert [(e.kind, e.model) for e in told] == [("credential_disabled", "a"), ("reset", "c")]


def test_an_unknown_model_is_disabled_whatever_the_credential():
    made, told = board()
    call(made, "a", Verdict(False, blame="model", detail="does not know the model (404)"), 10.0)
    assert set(made.barred(10.0)) == {"a", "b"}
    assert told[0].kind == "model_disabled"


def test_a_credential_disabled_until_a_named_time_comes_back_by_itself():
    made, _ = board()
    call(made, "a", Verdict(False, blame="credential", retry_after_s=100.0), 10.0)
    assert set(made.barred(109.0)) == {"a", "c"}
    assert hold(made, "a", 109.0).until == 110.0
    assert made.barred(110.0) == {}
    call(made, "a", OK, 110.0)


REFUSED = {
    "credential": Verdict(False, blame="credential", detail="rejected the credential (401)"),
    "model": Verdict(False, blame="model", detail="does not know the model (404)"),
}  # fmt: skip


def due(made: HealthBoard, id: str, now: float) -> float:
    until = hold(made, id, now).until
    assert until is not None
    return until


@pytest.mark.parametrize("what", REFUSED)
def test_one_call_tries_what_is_off_and_the_others_wait_for_it(what: str):
    made, told = board()
    call(made, "a", REFUSED[what], 10.0)
    until = due(made, "a", 10.0)
    assert set(made.barred(until - 0.001)) == ({"a", "c"} if what == "credential" else {"a", "b"})
    assert made.barred(until) == {}
    trial = made.admit("a", until)
    assert isinstance(trial, Permit)
    other = "c" if what == "credential" else "b"
    for id in ("a", other):
        held = hold(made, id, until + 0.5)
        assert (held.kind, held.until) == ("probing", until + 1.5)
        assert held.reason == f"{what} disabled: {REFUSED[what].detail}; one call is trying it again"
        assert isinstance(made.force(id, until + 0.5), Hold)
    assert hold(made, other, until + 9.9).until == until + 10.0
    made.settle(trial, OK, until + 9.9)
    assert free(made, until + 9.9) == ["a", "b", "c", "d"]
    assert [(e.kind, e.model) for e in told] == [(f"{what}_disabled", "a"), (f"{what}_enabled", "a")]
    assert told[1].detail == f"answered after {what} disabled: {REFUSED[what].detail}"
    assert made.snapshot(until + 9.9)[0]["disabled_why"] == ""


@pytest.mark.parametrize("what", REFUSED)
def test_what_stays_dead_costs_few_calls(what: str):
    made, told = board()
    call(made, "a", REFUSED[what], 0.0)
    now, at = 0.0, [0.0]
    for refusals in range(1, 40):
        until = due(made, "a", now)
        full = min(60.0 * 2.0 ** (refusals - 1), 3600.0)
        assert full / 2 <= until - now <= full
        now = until
        at.append(now)
        call(made, "a", REFUSED[what], now)
    assert sum(t < 3600.0 for t in at) <= 8
    assert all(sum(h <= t < h + 3600.0 for t in at) <= 3 for h in range(3600, int(at[-1]), 600))
    assert {e.kind for e in told} == {f"{what}_disabled"}
    assert len(told) == len(at)


def test_the_time_that_a_provider_names_is_never_cut_short_and_a_short_one_does_not_make_a_flood():
    made, _ = board()
    for refusals, (hint, least) in enumerate([(100.0, 100.0), (5000.0, 5000.0), (1.0, 120.0), (1.0, 240.0)], 1):
        now = 10_000.0 * refusals
        call(made, "a", replace(REFUSED["credential"], retry_after_s=hint), now)
        assert due(made, "a", now) - now >= least


def test_calls_that_were_in_flight_say_nothing_new():
    made, told = board()
    permits = [made.admit("a", 10.0) for _ in range(5)]
    call(made, "a", REFUSED["credential"], 10.0)
    until = due(made, "a", 10.0)
    verdicts = [REFUSED["credential"], REFUSED["credential"], OK, Verdict(False, neutral=True)]
    for permit, verdict in zip(permits, verdicts, strict=False):
        assert isinstance(permit, Permit)
        made.settle(permit, verdict, 11.0)
    assert due(made, "a", 11.0) == until
    assert len(told) == 1
    assert isinstance(permits[4], Permit)
    made.settle(permits[4], replace(REFUSED["credential"], retry_after_s=500.0), 12.0)
    assert due(made, "a", 12.0) == 512.0


@pytest.mark.parametrize("verdict", [DOWN, LIMITED, Verdict(False, neutral=True), Verdict(False, blame="none")])
def test_a_trial_that_proves_nothing_is_followed_by_another(verdict: Verdict):
    made, told = board()
    call(made, "a", REFUSED["credential"], 10.0)
    until = due(made, "a", 10.0)
    call(made, "a", verdict, until)
    assert made.snapshot(until)[2]["disabled_why"].startswith("credential disabled")
    call(made, "c", REFUSED["credential"], until + 1.0)
    assert 60.0 <= due(made, "c", until + 1.0) - until - 1.0 <= 120.0
    assert [e.kind for e in told if e.kind != "rate_limited"] == ["credential_disabled", "credential_disabled"]


def test_an_answer_that_is_poor_proves_the_key():
    made, _ = board()
    call(made, "a", REFUSED["credential"], 10.0)
    until = due(made, "a", 10.0)
    call(made, "a", Verdict(False, blame="quality"), until)
    assert made.snapshot(until)[0]["disabled_why"] == ""


def test_both_of_a_model_and_its_key_must_be_due():
    made, _ = board()
    first, second = made.admit("a", 10.0), made.admit("a", 10.0)
    for permit, what in ((first, "credential"), (second, "model")):
        assert isinstance(permit, Permit)
        made.settle(permit, REFUSED[what], 10.0)
    until = due(made, "a", 10.0)
    assert (
        made.barred(10.0)["a"]
        .told("a", 10.0)
        .endswith(f"tried again in {until - 10.0:.0f} s, or at once after router.reset('a')")
    )
    call(made, "a", OK, until)
    assert free(made, until) == ["a", "b", "c", "d"]


def test_a_lapsed_ban_does_not_hide_another():
    made, _ = board()
    first, second = made.admit("a", 10.0), made.admit("a", 10.0)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    made.settle(first, Verdict(False, blame="credential", retry_after_s=5.0), 10.0)
    made.settle(second, Verdict(False, blame="model"), 10.0)
    assert set(made.barred(20.0)) == {"a", "b"}
    assert hold(made, "a", 20.0).reason.startswith("model disabled: unknown to the provider; tried again in")


def test_a_model_registered_later_is_barred_with_its_credential():
    made, _ = board()
    call(made, "a", Verdict(False, blame="credential"), 10.0)
    made.register("e", Address(URL, "other", "key-1"))
    assert "e" in made.barred(10.0)


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_of_a_call_that_was_sent_before_a_reset_disables_nothing(what: str):
    made, _ = board()
    early, late = made.admit("a", 1.0), made.admit("a", 2.0)
    assert isinstance(early, Permit)
    assert isinstance(late, Permit)
    made.settle(early, REFUSED[what], 3.0)
    assert made.barred(3.0)
    made.reset("a", 4.0)
    made.settle(late, REFUSED[what], 5.0)
    assert made.barred(5.0) == {}
    call(made, "a", REFUSED[what], 6.0)
    assert made.barred(6.0)


@pytest.mark.parametrize("what", REFUSED)
def test_nor_does_one_of_a_call_that_was_sent_before_the_trial_that_was_answered(what: str):
    made, _ = board()
    slow = made.admit("a", 1.0)
    assert isinstance(slow, Permit)
    call(made, "a", REFUSED[what], 2.0)
    until = due(made, "a", 2.0)
    call(made, "a", OK, until)
    made.settle(slow, REFUSED[what], until + 1.0)
    assert made.barred(until + 1.0) == {}


def test_after_a_reset_a_rate_limit_closes_only_for_later_calls_or_a_time_that_the_provider_names():
    made, _ = board()
    permits = [made.admit("a", 1.0) for _ in range(3)]
    for permit, verdict, at in zip(
        permits, (LIMITED, LIMITED, replace(LIMITED, retry_after_s=9.0)), (2, 3, 4), strict=True
    ):
        assert isinstance(permit, Permit)
        made.settle(permit, verdict, float(at))
        if at == 2:
            assert made.condition("a", 2.0).held
            made.reset("a", 2.5)
        assert (made.condition("a", float(at)).held != "") is (at == 4)
