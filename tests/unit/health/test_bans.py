"""Bans step by step: when a call may try again, what it proves, whom it holds up."""

from __future__ import annotations

import pytest

from capability_router.address import Address
from capability_router.health.bans import Ban, Bans
from capability_router.health.breaker import BreakerConfig
from capability_router.health.permit import Verdict

HERE = Address("https://a.example/v1", "m", "key")
OTHER = Address("https://a.example/v1", "other", "key")
GOOD = Verdict(ok=True)


@pytest.fixture
def bans() -> Bans:
    return Bans(BreakerConfig(disabled_s=60.0, max_disabled_s=100.0), lambda: 1.0)


def refused(bans: Bans, taken_at: float, now: float, hint: float | None = None) -> Ban | None:
    verdict = Verdict(ok=False, blame="credential", retry_after_s=hint, detail="401")
    return bans.refused("credential", HERE, verdict, taken_at, now)


def test_a_credential_is_off_for_all_its_models_until_a_trial_is_due(bans: Bans) -> None:
    refused(bans, 0.0, 1.0)
    assert bans
    for address in (HERE, OTHER):
        off = bans.off(address, 60.9)
        assert off is not None
        assert off.held(60.9) == "credential disabled: 401; tried again in 0 s"
        assert bans.off(address, 61.0) is None
        assert off.held(61.0) == "credential disabled: 401; one call is trying it again"
    assert bans.off(Address("https://b.example/v1", "m", "key"), 1.0) is None


def test_each_refusal_doubles_the_time_up_to_its_bound(bans: Bans) -> None:
    refused(bans, 0.0, 1.0)
    second = refused(bans, 61.0, 62.0)
    assert (second.until, second.refusals) == (162.0, 2)


def test_a_time_that_is_named_is_taken_at_first_and_never_cut_short(bans: Bans) -> None:
    assert refused(bans, 0.0, 1.0, hint=0.5).until == 1.5
    assert refused(bans, 2.0, 3.0, hint=0.5).until == 103.0  # the second of them: 120 s, at most 100
    assert refused(bans, 200.0, 201.0, hint=500.0).until == 701.0


def test_a_call_that_was_under_way_says_nothing_new_but_a_longer_time(bans: Bans) -> None:
    ban = refused(bans, 0.0, 5.0)
    assert refused(bans, 5.0, 6.0) is None
    assert (ban.until, ban.refusals) == (65.0, 1)
    assert refused(bans, 4.0, 7.0, hint=90.0) is None
    assert ban.until == 97.0
    list(bans.ended(HERE, GOOD, 5.0))
    assert bans.of(HERE) == [ban]


def test_one_call_tries_and_others_wait_for_it_for_some_seconds(bans: Bans) -> None:
    ban = refused(bans, 0.0, 0.1, hint=0.1)
    assert bans.on_trial(HERE, 0.3) is None
    assert bans.begin_trial(HERE, 0.3)
    assert bans.on_trial(OTHER, 10.2) is ban
    assert bans.on_trial(HERE, 10.3) is None
    assert not bans.begin_trial(Address("https://b.example/v1", "m", "x"), 0.3)


@pytest.mark.parametrize("verdict", [GOOD, Verdict(ok=False, blame="quality")])
def test_an_answer_switches_on_again(bans: Bans, verdict: Verdict) -> None:
    ban = refused(bans, 0.0, 0.1, hint=0.1)
    assert list(bans.ended(OTHER, verdict, 0.3)) == [ban]
    assert not bans


@pytest.mark.parametrize("verdict", [
    Verdict(ok=True, neutral=True), Verdict(ok=False, blame="breaker"),
    Verdict(ok=False, neutral=True, blame="quality"),
])  # fmt: skip
def test_what_proves_nothing_lets_the_next_call_try_at_once(bans: Bans, verdict: Verdict) -> None:
    refused(bans, 0.0, 0.1, hint=0.1)
    bans.begin_trial(HERE, 0.3)
    assert list(bans.ended(HERE, verdict, 0.3)) == []
    assert (bans.off(HERE, 0.4), bans.on_trial(HERE, 0.4)) == (None, None)
    assert bans


def test_a_refusal_ends_the_trial(bans: Bans) -> None:
    refused(bans, 0.0, 0.1, hint=0.1)
    bans.begin_trial(HERE, 0.3)
    refused(bans, 0.3, 0.4)
    assert bans.on_trial(HERE, 0.5) is None
    assert bans.off(HERE, 0.5) is not None


def test_an_operator_switches_on(bans: Bans) -> None:
    refused(bans, 0.0, 1.0)
    bans.allow(HERE, 100.0)
    assert (bans.of(OTHER), bool(bans)) == ([], False)


@pytest.mark.parametrize(("seconds", "told"), [(119.0, "119 s"), (120.0, "2 min"), (3600.0, "60 min")])
def test_a_wait_is_told_in_minutes_from_two_on(bans: Bans, seconds: float, told: str) -> None:
    ban = refused(bans, 0.0, 0.0, hint=seconds)
    assert ban.told("m", 0.0) == f"credential disabled: 401; tried again in {told}, or at once after router.reset('m')"
