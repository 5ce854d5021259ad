"""One candidate's own: what holds it and until when, what a probe goes before, what is passed and what is not."""

import math
from dataclasses import replace

import pytest
from unit.health.test_board import DOWN, LIMITED, OK, URL, board, call, hold, trip

from capability_router.address import Address
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Hold, Permit, Verdict
from capability_router.health.permit import RequestsAhead

GRACE_S = 5.0
NEVER_SENT = Verdict(False, neutral=True, sent=False)
OVERLOADED = Verdict(False, blame="breaker", overloaded=True)


def taken(made: HealthBoard, id: str, now: float, count: int = 1, tokens: int = 0) -> list[Permit]:
    permits = [made.admit(id, now, tokens) for _ in range(count)]
    assert all(isinstance(permit, Permit) for permit in permits), permits
    return permits  # type: ignore[return-value]  # asserted


def reopens_at(made: HealthBoard, id: str) -> float:
    until = made.reopens_at(id)
    assert until is not None
    return until


# -- the first call after an open time ------------------------------------------------------------


def test_traffic_leaves_the_first_call_after_an_open_time_to_the_probe_for_five_seconds() -> None:
    made, _ = board()
    made.probes(["a"])
    assert trip(made, "a", 10.0) == reopens_at(made, "a") + GRACE_S
    until = reopens_at(made, "a")
    held = hold(made, "a", until)
    assert (held.kind, held.until) == ("breaker", until + GRACE_S)
    assert held.reason == "breaker open for another 5.0 s"
    assert hold(made, "a", until + GRACE_S - 0.1).until == until + GRACE_S
    (late,) = taken(made, "a", until + GRACE_S)
    assert late.half_open


def test_the_probe_itself_does_not_wait_and_who_is_not_probed_neither() -> None:
    made, _ = board()
    made.probes(["a"])
    trip(made, "a", 10.0)
    probe = made.admit("a", reopens_at(made, "a"), probe=True)
    assert isinstance(probe, Permit)
    assert probe.half_open
    made, _ = board()
    made.probes(["b"])
    (first,) = taken(made, "a", trip(made, "a", 10.0))
    assert first.half_open


def test_no_more_probes_are_let_in_than_there_are_however_often_it_is_looked_at() -> None:
    made, _ = board()
    until = trip(made, "a", 10.0)
    for _ in range(2):
        assert made.condition("a", until).held == ""
        taken(made, "a", until)
    assert hold(made, "a", until).reason == "breaker half-open, its probes are under way"


def test_a_probe_waits_for_the_open_time_as_anybody() -> None:
    made, _ = board()
    made.probes(["a"])
    trip(made, "a", 10.0)
    until = reopens_at(made, "a")
    held = made.admit("a", until - 0.1, probe=True)
    assert isinstance(held, Hold)
    assert held.until == until


@pytest.mark.parametrize("blame", ["credential", "model"])
def test_so_it_is_with_a_refused_credential_or_model(blame: str) -> None:
    made, _ = board()
    made.probes(["a"])
    call(made, "a", Verdict(False, blame=blame), 10.0)
    due = reopens_at(made, "a")
    held = hold(made, "a", due)
    mend = "fix the key or name of a and call router.reset('a')"
    assert held == Hold("waiting for its probe, which decides whether it is used again", due + GRACE_S, "probing", mend)
    probe = made.admit("a", due, probe=True)
    assert isinstance(probe, Permit)
    assert probe.trial
    assert hold(made, "a", due).until == due + 1.0, "while it is tried it is looked at again each second"
    made.settle(probe, NEVER_SENT, due)
    (late,) = taken(made, "a", due + GRACE_S)
    assert late.trial


def test_the_last_of_what_is_due_is_waited_for() -> None:
    made, _ = board()
    made.probes(["a"])
    both = taken(made, "a", 10.0, 2)
    made.settle(both[0], Verdict(False, blame="credential", retry_after_s=100.0), 10.0)
    made.settle(both[1], Verdict(False, blame="model", retry_after_s=102.0), 10.0)
    assert [hold(made, "a", now).until for now in (112.5, 116.0)] == [112.0 + GRACE_S] * 2
    taken(made, "a", 112.0 + GRACE_S)


# -- limits ---------------------------------------------------------------------------------------


def test_a_stated_limit_is_not_surpassed_and_a_learned_one_is_up_to_it() -> None:
    made, _ = board(concurrency=12)
    permits = taken(made, "a", 1.0, 10)
    made.settle(permits[0], OVERLOADED, 2.0)
    made.condition("a", 2.0)
    held = hold(made, "a", 2.0)
    assert (held.kind, held.learned, held.by) == ("full", True, "learned_limit")
    assert held.reason == "full: 9 calls in flight, limit 8, learned from refusals (429, 529) under load"
    assert held.mend == "switch learned limits off (health: {learns_limits: false})"
    assert made.condition("a", 2.0).waits
    for _ in range(3):
        assert isinstance(made.admit_over_learned_limit("a", 2.0), Permit)
    assert made.admit_over_learned_limit("a", 2.0) == hold(made, "a", 2.0)
    held = hold(made, "a", 2.0)
    assert (held.reason, held.learned) == ("full: 12 calls in flight, limit 12", False)
    assert held.mend == "raise limits.concurrency"


def test_neither_an_isolated_breaker_nor_a_closed_gate_nor_a_spent_minute_is_surpassed() -> None:
    made, _ = board(rpm=1)
    made.isolate("d")
    trip(made, "c", 1.0)
    call(made, "b", replace(LIMITED, retry_after_s=9.0), 1.0)
    taken(made, "a", 1.0)
    found = [made.admit_over_learned_limit(id, 1.0) for id in "abd"]
    assert [hold.kind for hold in found if isinstance(hold, Hold)] == ["full", "rate_limit", "isolated"]
    past = made.admit_over_learned_limit("c", 1.0)
    assert isinstance(past, Permit)
    assert past.forced


def test_where_limits_are_not_learned_stated_ones_are_changed_and_health_is_reset_all_the_same() -> None:
    made = HealthBoard(learns_limits=False)
    made.register("a", Address(URL, "m"))
    taken(made, "a", 1.0, 3)
    made.register("a", Address(URL, "m"), limits={"concurrency": 4})
    taken(made, "a", 1.0)
    assert hold(made, "a", 1.0).reason == "full: 4 calls in flight, limit 4"
    made.isolate("a")
    made.reset("a")
    assert hold(made, "a", 1.0).kind == "full"


def test_a_call_that_is_larger_than_what_is_left_is_held_where_the_usual_one_is_not() -> None:
    made, _ = board(tpm=1000)
    call(made, "a", replace(OK, tokens=100), 1.0, tokens=100)
    assert (made.condition("a", 1.0).held, made.condition("a", 1.0).queue_s) == ("", 0.0)
    held = hold(made, "a", 1.0, tokens=950)
    assert (held.kind, held.until) == ("full", pytest.approx(1.0 + 50 * 60 / 1000))
    assert held.reason == "full: limits.rpm or limits.tpm reached for another 3.0 s"
    assert held.mend == "raise limits.rpm or limits.tpm"


def test_limits_hold_from_the_clocks_first_second_on() -> None:
    made, _ = board(concurrency=1)
    taken(made, "a", 0.0)
    assert made.condition("a", 0.1).held == "full: 1 call in flight, limit 1"
    assert hold(made, "a", 0.2).kind == "full"


def test_a_limit_holds_though_nothing_did_a_moment_ago() -> None:
    made, _ = board(concurrency=1)
    assert not made.condition("a", 1.0).held
    taken(made, "a", 1.0)
    assert hold(made, "a", 1.0).kind == "full"


def test_a_rate_limit_that_has_lasted_as_long_as_was_said_is_told_to_be_over() -> None:
    made, told = board()
    call(made, "a", replace(LIMITED, retry_after_s=30.0), 1.0)
    assert not made.condition("a", 31.0).held
    assert [(event.kind, event.detail) for event in told][1:] == [("rate_limit_over", "its time is over")]


def test_new_limits_hold_at_once() -> None:
    made, _ = board()
    taken(made, "a", 1.0, 2)
    assert not made.condition("a", 1.0).held
    made.register("a", Address(URL, "big", "key-1"), limits={"concurrency": 2})
    assert hold(made, "a", 1.0).kind == "full"
    assert made.condition("a", 1.0).held == "full: 2 calls in flight, limit 2"


def test_what_was_learned_holds_under_new_limits() -> None:
    made, _ = board()
    permits = taken(made, "a", 1.0, 10)
    made.settle(permits[0], OVERLOADED, 2.0)
    made.register("a", Address(URL, "big", "key-1"), limits={"concurrency": 100})
    assert hold(made, "a", 2.0).reason.startswith("full: 9 calls in flight, limit 8, learned")
    made.register("a", Address(URL, "big", "key-1"), limits={"concurrency": 6})
    assert hold(made, "a", 2.0).reason == "full: 9 calls in flight, limit 6"


def test_what_a_call_has_used_is_known_when_it_ends() -> None:
    """By the verdict's tokens, else as estimated; of one that was refused nothing."""
    for verdict, wait_s in ((replace(OK, tokens=500), 30.0), (replace(OK, tokens=0), 24.0), (LIMITED, 0.0)):
        made, _ = board(tpm=1000)
        call(made, "a", verdict, 1.0, tokens=400)
        made.reset("a", 1.0)
        found = made.admit("a", 1.0, 1000)
        waits = (found.until or 0.0) - 1.0 if isinstance(found, Hold) else 0.0
        assert waits == pytest.approx(wait_s), verdict


def test_a_full_model_is_not_looked_at_again_in_the_same_instant() -> None:
    made, _ = board(concurrency=1)
    for _ in range(200):
        call(made, "a", Verdict(True, ttft_s=1e-5, elapsed_s=1e-5, output_tokens=1), 1.0)
    taken(made, "a", 1.0)
    assert hold(made, "a", 1.0).until == 1.001


@pytest.mark.parametrize("limits", [{"concurrency": 5}, {"rpm": 5}, {"tpm": 500}, {}])
def test_who_comes_behind_others_leaves_them_what_they_need(limits: dict[str, int]) -> None:
    made, _ = board(**limits)
    if not limits:
        made.note_limits("a", {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "60s"}, 1.0)
    held = made.admit("a", 1.0, 100, ahead=RequestsAhead(5, 450))
    assert isinstance(held, Hold)
    assert (held.kind, held.reason) == ("full", "full: 5 requests wait before this one")
    assert isinstance(made.admit_over_learned_limit("a", 1.0, 100, ahead=RequestsAhead(5, 450)), Permit) is not bool(
        limits
    )
    assert isinstance(made.admit("a", 1.0, 100, ahead=RequestsAhead(3, 400)), Permit)
    held = made.admit("a", 1.0, 100, ahead=RequestsAhead(4, 301))
    assert isinstance(held, Hold)


def test_who_comes_behind_others_is_not_asked_to_look_before_it_could_be_called_alone() -> None:
    made, _ = board(concurrency=2)
    made.note_limits("a", {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "20s"}, 1.0)
    alone, behind = made.admit("a", 1.0, 100), made.admit("a", 1.0, 100, ahead=RequestsAhead(2, 0))
    assert isinstance(alone, Hold)
    assert isinstance(behind, Hold)
    assert behind.reason == "full: 2 requests wait before this one"
    assert alone.until is not None
    assert behind.until is not None
    assert behind.until >= alone.until > 1.1


@pytest.mark.parametrize(("limits", "times"), [({"concurrency": 5, "rpm": 9}, 0), ({"tpm": 500}, 1)])
def test_tokens_of_those_ahead_are_counted_only_for_a_limit_of_tokens(limits: dict[str, int], times: int) -> None:
    made, _ = board(**limits)
    counted: list[int] = []

    def tokens() -> int:
        counted.append(450)
        return 450

    ahead = RequestsAhead(4, tokens)
    assert isinstance(made.admit("a", 1.0, 40, ahead=ahead), Permit)
    assert isinstance(made.admit("a", 1.0, 40, ahead=ahead), Hold)
    assert len(counted) == times


def test_the_wait_behind_others_is_theirs_and_ones_own() -> None:
    made, _ = board(concurrency=2)
    call(made, "a", Verdict(True, ttft_s=1.0, elapsed_s=8.0, output_tokens=50), 1.0)
    taken(made, "a", 1.0, 1)
    assert [made.wait_s("a", 1.0, ahead) for ahead in range(4)] == [0.0, 4.0, 8.0, 12.0]
    taken(made, "a", 1.0, 1)
    assert [made.wait_s("a", 1.0, ahead) for ahead in range(3)] == [4.0, 8.0, 12.0]


def test_when_a_limit_is_refilled_at_once_all_who_wait_for_it_can_be_called() -> None:
    made, _ = board()
    made.note_limits("a", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}, 1.0)
    assert [made.wait_s("a", 1.0, ahead) for ahead in (0, 1, 9)] == [20.0] * 3


def test_a_debt_is_waited_for_once_and_then_a_call_for_each_refill() -> None:
    made, _ = board(rpm=60)
    taken(made, "a", 1.0, 60)
    assert [round(made.wait_s("a", 1.0, ahead), 6) for ahead in (0, 1, 9)] == [1.0, 2.0, 10.0]
    made, _ = board(tpm=600)
    for _ in range(20):
        call(made, "a", Verdict(True, tokens=10), 1.0, tokens=10)
    call(made, "a", Verdict(True, tokens=1_000), 1.0, tokens=10)
    alone = made.wait_s("a", 1.0)
    assert alone > 59.0
    assert made.wait_s("a", 1.0, 9) < alone + 10.0


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_a_count_without_its_time_or_a_time_without_its_count_holds_nobody(what: str) -> None:
    other = {"requests": "tokens", "tokens": "requests"}[what]
    whole = {f"x-ratelimit-remaining-{other}": "9000", f"x-ratelimit-reset-{other}": "60s"}
    for half in ({f"x-ratelimit-remaining-{what}": "1"}, {f"x-ratelimit-reset-{what}": "60s"}):
        made, told = board()
        made.note_limits("c", {**whole, **half}, 1.0)
        taken(made, "c", 1.0, 5, tokens=100)
        assert not told


def test_who_shares_the_account_hears_that_nothing_is_left() -> None:
    made, _ = board()
    made.register("twin", Address(URL, "small", "key-1"))
    assert not made.condition("twin", 1.0).held
    taken(made, "c", 1.0)
    left = {"remaining": "1", "limit": "60", "reset": "59s"}
    made.note_limits("c", {f"x-ratelimit-{name}-requests": value for name, value in left.items()}, 1.0)
    assert made.condition("twin", 1.0).held.startswith("full: its provider reports nothing left")


def test_that_something_is_left_does_not_unsay_a_later_refusal() -> None:
    made, _ = board()
    (permit,) = taken(made, "c", 1.0)
    made.note_limits("c", {"x-ratelimit-remaining-requests": "50", "x-ratelimit-reset-requests": "60s"}, 2.0)
    assert not made.condition("c", 2.0).held
    made.settle(permit, LIMITED, 3.0)
    assert hold(made, "c", 3.0).kind == "rate_limit"


def test_who_has_a_token_left_is_not_waited_for() -> None:
    made, _ = board()
    left = {"remaining": "1", "limit": "600", "reset": "60s"}
    made.note_limits("c", {f"x-ratelimit-{name}-tokens": value for name, value in left.items()}, 1.0)
    assert made.condition("c", 1.0).queue_s == 0.0
    assert hold(made, "c", 1.0, tokens=2).kind == "full"
    taken(made, "c", 1.0, tokens=1)


def test_what_this_process_worked_before_a_call_excuses_no_wait() -> None:
    made = HealthBoard(worked=lambda: 1e6)
    made.register("a", Address(URL, "m"))
    permits = taken(made, "a", 1.0, 85)
    for permit, waited_s in zip(permits, (*[0.2] * 60, *[3.0] * 10), strict=False):
        made.settle(permit, replace(OK, ttft_s=waited_s), 1.0 + waited_s)
    assert made.snapshot(4.0)[0]["concurrency_limit"] is not None


# -- endings --------------------------------------------------------------------------------------


def test_calls_are_counted_by_how_they_ended() -> None:
    made, _ = board()
    for verdict in (OK, OK, DOWN, LIMITED, NEVER_SENT, Verdict(False, blame="quality")):
        made.reset("a", 1.0)
        call(made, "a", verdict, 1.0)
    row = made.snapshot(1.0)[0]
    counts = ("answered", "failed", "refused", "disabled", "neutral")
    assert [row[name] for name in counts] == [3, 1, 1, 0, 1]
    assert row["success_share"] == pytest.approx(3 / 5)
    assert (row["calls"], row["in_flight"]) == (6, 0)
    assert made.snapshot(1.0)[1]["success_share"] is None


def test_a_row_says_what_holds_a_model_and_for_how_long() -> None:
    made, _ = board(concurrency=1)
    call(made, "c", replace(LIMITED, retry_after_s=30.0), 1.0)
    taken(made, "a", 1.0)
    for _ in range(2):
        call(made, "d", DOWN, 1.0)
    rows = {row["model"]: row for row in made.snapshot(2.0)}
    assert [rows[id]["held_by"] for id in "abcd"] == ["full", "", "rate_limit", "degraded"]
    assert rows["c"]["held_for_s"] == pytest.approx(29.0)
    assert rows["c"]["held"] == "rate limited for another 29 s"
    assert rows["b"]["held_for_s"] == 0.0
    assert rows["d"]["held_for_s"] == pytest.approx(1.5)
    assert (rows["a"]["concurrency_limit"], rows["b"]["concurrency_limit"]) == (1, None)
    assert (rows["a"]["in_flight"], rows["a"]["queue_s"] > 0.0) == (1, True)


def test_the_share_of_recent_calls_is_of_the_window_alone() -> None:
    made, _ = board()
    call(made, "a", DOWN, 1.0)
    for _ in range(3):
        call(made, "a", OK, 1.0)
    row = made.snapshot(1.0)[0]
    assert (row["recent_share"], row["recent_calls"]) == (0.75, 4)
    row = made.snapshot(1e4)[0]
    assert (row["recent_share"], row["recent_calls"]) == (None, 0)


def test_of_the_calls_that_one_delay_of_this_process_cut_off_the_first_may_count_and_of_the_first_delay_none() -> None:
    made, _ = board()
    late = Verdict(False, blame="breaker", slow=True, late=True, elapsed_s=9.0)
    for sent_at, ended in ((1.0, ["neutral"] * 3), (20.0, ["failed", "neutral", "neutral"])):
        before = made.snapshot(sent_at)[0]
        for permit, how in zip(taken(made, "a", sent_at, 3), ended, strict=True):
            made.settle(permit, late, sent_at + 9.0)
            row = made.snapshot(sent_at + 9.0)[0]
            assert row[how] == before[how] + 1
            before = row


@pytest.mark.parametrize(("wait_s", "opens"), [(40.0, True), (29.0, False)])
def test_a_call_that_fails_after_a_long_wait_was_slow_too(wait_s: float, opens: bool) -> None:
    made = HealthBoard(BreakerConfig(slow_after_s=30.0, failure_rate=1.0, consecutive=100), seed=1)
    made.register("a", Address(URL, "m"))
    for _ in range(2):
        call(made, "a", OK, 1.0)
    for _ in range(8):
        call(made, "a", Verdict(False, blame="breaker", elapsed_s=wait_s), 1.0)
    assert made.condition("a", 1.0).held.startswith("breaker") is opens


def test_an_answer_teaches_how_long_a_line_is_and_a_poor_one_does_not() -> None:
    made, _ = board()
    call(made, "a", Verdict(False, blame="quality", ttft_s=50.0, elapsed_s=60.0, output_tokens=9), 1.0)
    assert made.snapshot(1.0)[0]["took_s"] is None
    assert made.condition("a", 1.0).pressure_s(1.0) == 0.0
    call(made, "a", OK, 1.0)
    assert made.condition("a", 1.0).pressure_s(1.0) == pytest.approx(0.2)


def test_the_length_of_an_input_is_as_it_was_told_else_as_it_was_estimated() -> None:
    usual = []
    for told, estimated in ((10_050, 7), (0, 10_000)):
        made, _ = board()
        for _ in range(20):
            call(made, "a", replace(OK, tokens=told, ttft_s=2.0, elapsed_s=3.0), 1.0, tokens=estimated)
        usual.append(made.usual_silence_s("a", 10, whole=False))
    assert usual[0] == pytest.approx(usual[1])
    assert usual[0] is not None
    assert usual[0] < 2.0, "the rest was reading"


def test_a_child_process_begins_without_its_parents_calls() -> None:
    made, _ = board(concurrency=2)
    taken(made, "a", 1.0, 2)
    assert made.condition("a", 1.0).in_flight == 2
    made.after_fork()
    assert made.condition("a", 1.0).in_flight == 0
    taken(made, "a", 1.0, 2)


# -- who hears of it ------------------------------------------------------------------------------


def test_an_operators_reset_is_told_and_forgets_the_gate_and_what_the_provider_counted() -> None:
    made, told = board()
    left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60s"}
    (permit,) = taken(made, "a", 1.0)
    made.note_limits("a", left, 1.0)
    assert hold(made, "a", 1.0).kind == "full"
    made.settle(permit, replace(LIMITED, retry_after_s=60.0), 1.0)
    assert hold(made, "a", 1.0).kind == "rate_limit"
    made.reset("a", 2.0)
    assert made.condition("a", 2.0).held == ""
    assert [(e.kind, e.detail, e.at) for e in told] == [
        ("rate_limited", "rate limited for 60 s", 1.0),
        ("rate_limit_over", "ended before its time", 2.0),
        ("reset", "reset by an operator", 2.0),
    ]


def test_two_models_behind_one_key_and_name_hear_of_what_ends_for_both() -> None:
    told: list[HealthEvent] = []
    made = HealthBoard(BreakerConfig(consecutive=5), seed=7, on_event=told.append)
    for id in ("one", "twin"):
        made.register(id, Address(URL, "m", "key"))
    call(made, "one", Verdict(False, blame="credential", retry_after_s=9.0, detail="rejected (401)"), 1.0)
    assert made.condition("twin", 1.0).held.startswith("credential disabled: rejected (401)")
    call(made, "twin", OK, 10.0)
    assert made.condition("one", 10.0).held == ""
    assert [(e.kind, e.model) for e in told] == [("credential_disabled", "one"), ("credential_enabled", "twin")]
    assert told[1].detail == "answered after credential disabled: rejected (401)"


def test_what_is_told_is_told_in_seconds_and_tenths_below_ten() -> None:
    made, _ = board()
    for wait_s, told in ((9.96, "10.0 s"), (10.0, "10 s"), (75.4, "75 s")):
        made.reset("a", 1.0)
        call(made, "a", replace(LIMITED, retry_after_s=wait_s), 1.0)
        assert hold(made, "a", 1.0).reason == f"rate limited for another {told}"
    made.isolate("a")
    assert made.condition("a", 1.0).until == math.inf


def test_what_is_left_of_a_degradation_is_told_anew_each_tenth_of_a_second() -> None:
    made, _ = board()
    for _ in range(2):
        call(made, "a", DOWN, 1.0)
    told = [made.condition("a", at).held.rpartition("another ")[2] for at in (1.0, 1.12, 2.0, 3.4, 3.5)]
    assert told == ["2.5 s", "2.4 s", "1.5 s", "0.1 s", ""]
