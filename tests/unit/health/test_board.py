"""The one door: what holds whom, who shares what, and what an ended call changes."""

import json
from dataclasses import replace

import pytest

from capability_router.address import Address
from capability_router.errors import ConfigError
from capability_router.health.board import BreakerConfig, HealthBoard, HealthEvent, Hold, Permit, Verdict
from capability_router.health.latency import READING_S

URL = "https://api.example.com/v1"
OK = Verdict(True, ttft_s=0.2, elapsed_s=1.2, output_tokens=50, tokens=300)
DOWN = Verdict(False, blame="breaker", detail="overloaded (529)")
LIMITED = Verdict(False, blame="gate")


def board(**limits: int) -> tuple[HealthBoard, list[HealthEvent]]:
    told: list[HealthEvent] = []
    made = HealthBoard(BreakerConfig(consecutive=5), seed=7, on_event=told.append)
    made.register("a", Address(URL, "big", "key-1"), limits=limits)
    made.register("b", Address(URL, "big", "key-2"))
    made.register("c", Address(URL, "small", "key-1"))
    made.register("d", Address("https://elsewhere.example.com", "big", "key-1"))
    return made, told


def call(made: HealthBoard, id: str, verdict: Verdict, now: float, tokens: int = 0) -> None:
    permit = made.admit(id, now, tokens)
    assert isinstance(permit, Permit), permit
    made.settle(permit, verdict, now)


def hold(made: HealthBoard, id: str, now: float, tokens: int = 0) -> Hold:
    found = made.admit(id, now, tokens)
    assert isinstance(found, Hold), found
    return found


def free(made: HealthBoard, now: float) -> list[str]:
    return [id for id in "abcd" if not made.condition(id, now).held]


def trip(made: HealthBoard, id: str, now: float) -> float:
    for _ in range(5):
        call(made, id, DOWN, now)
    until = hold(made, id, now).until
    assert until is not None
    return until


def test_an_open_breaker_holds_those_of_the_same_model_and_place():
    made, told = board()
    until = trip(made, "a", 10.0)
    assert 12.5 <= until <= 15.0
    assert free(made, 10.0) == ["c", "d"]
    held = hold(made, "b", 10.0)
    assert (held.kind, held.until) == ("breaker", until)
    assert held.reason == made.condition("b", 10.0).held
    assert held.reason.startswith("breaker open for another ")
    assert [(e.kind, e.model, e.at) for e in told] == [
        ("degraded", "a", 10.0), ("recovered", "a", 10.0), ("breaker_opened", "a", 10.0),
    ]  # fmt: skip


def test_a_region_of_its_own_has_a_breaker_of_its_own():
    made, _ = board()
    made.register("eu", Address(URL, "big", "key-1", "eu"))
    trip(made, "a", 10.0)
    assert not made.condition("eu", 10.0).held


def test_recovery_goes_through_probes():
    made, told = board()
    until = trip(made, "a", 10.0)
    first, second = made.admit("a", until), made.admit("b", until)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    assert first.half_open
    assert second.half_open
    assert hold(made, "a", until).reason == "breaker half-open, its probes are under way"
    made.settle(first, OK, until + 1)
    assert free(made, until + 1) == ["a", "b", "c", "d"]
    made.settle(second, DOWN, until + 1)
    assert made.snapshot(until + 1)[0]["state"] == "closed"
    assert [e.kind for e in told][2:] == ["breaker_opened", "breaker_half_open", "breaker_closed"]


def test_stragglers_from_before_the_opening_say_nothing():
    made, _ = board()
    early = [made.admit("a", 10.0) for _ in range(10)]
    trip(made, "a", 10.0)
    for permit in early:
        assert isinstance(permit, Permit)
        made.settle(permit, OK, 11.0)
    assert made.condition("a", 11.0).held
    assert made.condition("a", 11.0).in_flight == 0


def test_a_rate_limit_closes_the_gate_of_that_account_and_model_only():
    made, told = board()
    for _ in range(20):
        made.reset("a")
        call(made, "a", replace(LIMITED, retry_after_s=30.0), 10.0)
    assert free(made, 10.0) == ["b", "c", "d"]
    held = hold(made, "a", 10.0)
    assert held == Hold("rate limited for another 30 s", 40.0, "rate_limit")
    assert made.snapshot(10.0)[0]["recent_share"] is None
    assert free(made, 40.0) == ["a", "b", "c", "d"]
    assert [e.kind for e in told] == [
        "reset",
        *["rate_limited", "rate_limit_over", "reset"] * 19,
        "rate_limited",
        "rate_limit_over",
    ]


def test_the_longer_of_breaker_and_gate_is_told():
    made, _ = board()
    permits = [made.admit("a", 10.0) for _ in range(6)]
    for permit in permits:
        assert isinstance(permit, Permit)
        made.settle(permit, DOWN, 10.0)
    assert hold(made, "a", 10.0).kind == "breaker"
    late = made.force("a", 10.0)
    assert isinstance(late, Permit)
    made.settle(late, replace(LIMITED, retry_after_s=60.0), 10.0)
    assert hold(made, "a", 10.0) == Hold("rate limited for another 60 s", 70.0, "rate_limit")


def test_concurrency_is_never_exceeded_not_even_by_force():
    made, _ = board(concurrency=2)
    permits = [made.admit("a", 1.0), made.admit("a", 1.0)]
    assert hold(made, "a", 1.0).kind == "full"
    forced = made.force("a", 1.0)
    assert isinstance(forced, Hold)
    assert forced.reason == "full: 2 calls in flight, limit 2"
    state = made.condition("a", 1.0)
    assert state.held == "full: 2 calls in flight, limit 2"
    assert state.queue_s == 0.5
    assert isinstance(permits[0], Permit)
    made.settle(permits[0], OK, 2.0)
    assert made.condition("a", 2.0).held == ""
    assert made.condition("a", 2.0).queue_s == 0.0


def test_limits_per_minute_hold_before_the_provider_must():
    made, _ = board(rpm=2, tpm=1000)
    call(made, "a", replace(OK, tokens=100), 1.0, tokens=900)
    held = hold(made, "a", 1.0, tokens=950)
    assert (held.kind, held.until) == ("full", pytest.approx(1.0 + 50 * 60 / 1000))
    call(made, "a", replace(OK, tokens=100), 1.0, tokens=100)
    assert hold(made, "a", 1.0).until == pytest.approx(31.0)
    assert made.condition("a", 1.0).queue_s == pytest.approx(30.0)
    assert made.condition("a", 1.0).held == "full: limits.rpm or limits.tpm reached for another 30 s"
    assert made.force("a", 1.0) == hold(made, "a", 1.0)


def test_force_passes_breaker_and_gate_and_its_success_opens_both():
    made, _ = board()
    trip(made, "a", 10.0)
    permit = made.force("a", 10.0)
    assert isinstance(permit, Permit)
    assert permit.forced
    assert not permit.half_open
    made.settle(permit, OK, 11.0)
    call(made, "a", replace(LIMITED, retry_after_s=50.0), 11.0)
    permit = made.force("a", 12.0)
    assert isinstance(permit, Permit)
    made.settle(permit, OK, 13.0)
    assert free(made, 13.0) == ["a", "b", "c", "d"]


def test_force_takes_a_probes_permit_while_there_is_one():
    made, _ = board()
    until = trip(made, "a", 10.0)
    permits = [made.force("a", until) for _ in range(3)]
    assert [p.half_open for p in permits if isinstance(p, Permit)] == [True, True, False]


@pytest.mark.parametrize("blame", ["gate", "credential", "model"])
def test_a_probe_that_meets_another_fault_gives_its_permit_back(blame: str):
    made, _ = board()
    until = trip(made, "a", 10.0)
    for now in (until, until + 100.0):
        call(made, "a", Verdict(False, blame=blame, retry_after_s=5.0), now)
        row = made.snapshot(now)[0]
        assert (row["state"], made._lanes["a"].breaker.probing) == ("half_open", 0)
        assert row["held"]


def test_isolated_is_not_to_be_forced():
    made, told = board()
    made.isolate("a", 5.0)
    held = Hold("isolated by an operator", None, "isolated", "call router.reset('a')")
    assert made.admit("a", 1e9) == held
    assert made.force("b", 1e9) == replace(held, mend="call router.reset('b')")
    assert made.barred(1e9) == {}
    made.reset("b", 6.0)
    call(made, "a", OK, 7.0)
    assert [(e.kind, e.model, e.at) for e in told] == [("isolated", "a", 5.0), ("reset", "b", 6.0)]


def test_a_credential_that_is_rejected_after_its_model_was_takes_the_others_behind_it_too():
    made = HealthBoard()
    for id, model in (("a", "m"), ("b", "n")):
        made.register(id, Address(URL, model, "key"))
        call(made, id, OK, 1.0)
    first, second = made.admit("a", 1.0), made.admit("a", 1.0)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    made.settle(first, Verdict(False, blame="model"), 1.0)
    assert (list(made.barred(1.0)), made.condition("b", 1.0).held) == (["a"], "")
    made.settle(second, Verdict(False, blame="credential"), 1.0)
    assert list(made.barred(1.0)) == ["a", "b"]
    assert isinstance(made.admit("b", 1.0), Hold)


@pytest.mark.parametrize("blame", ["none", "quality"])
def test_an_answer_that_is_the_requests_fault_is_a_sign_of_health(blame: str):
    made, _ = board()
    for _ in range(4):
        call(made, "a", DOWN, 10.0)
    call(made, "a", Verdict(False, blame=blame, elapsed_s=0.01), 10.0)
    call(made, "a", DOWN, 10.0)
    assert made._lanes["a"].breaker.state == "closed", "five failures, not in a row"
    assert (
        made.condition("a", 10.0).held == "5 of the last 6 calls failed; other models are preferred for another 2.5 s"
    )
    assert made.condition("a", 10.0).ttft_s is None


def test_what_was_never_sent_gives_all_back_and_changes_nothing():
    made, told = board(rpm=10, tpm=1000, concurrency=1)
    before = made.snapshot(1.0)[0]
    level = made._lanes["a"].limiter
    assert level.requests is not None
    assert level.tokens is not None
    for _ in range(50):
        call(made, "a", Verdict(False, neutral=True, blame="breaker", elapsed_s=9.0, sent=False), 1.0, tokens=600)
    after = made.snapshot(1.0)[0]
    assert (level.requests.level, level.tokens.level) == (10.0, 1000.0)
    assert after == {**before, "calls": 50, "neutral": 50}
    assert told == []


def test_whose_caller_left_has_been_counted_by_its_provider_all_the_same():
    made, told = board(rpm=10, tpm=1000, concurrency=1)
    left = Verdict(False, neutral=True)
    call(made, "a", left, 1.0, tokens=100)
    call(made, "a", replace(left, tokens=250), 1.0, tokens=100)
    limiter = made._lanes["a"].limiter
    assert limiter.requests is not None
    assert limiter.tokens is not None
    assert (limiter.requests.level, limiter.tokens.level, limiter.in_flight) == (8.0, 650.0, 0)
    assert told == []


HEADERS = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "60s"}


@pytest.mark.parametrize(("sent", "left"), [(False, 5.0), (True, 2.0)])
@pytest.mark.parametrize("reported", ["before", "between"])
def test_so_it_is_with_what_a_provider_reports_to_be_left(sent: bool, left: float, reported: str):
    made, _ = board()
    if reported == "before":
        made.note_limits("a", HEADERS, 1.0)
    permits = [made.admit("a", 2.0, 50) for _ in range(3)]
    if reported == "between":
        made.note_limits("a", HEADERS, 3.0)
    for permit in permits:
        assert isinstance(permit, Permit)
        made.settle(permit, Verdict(False, neutral=True, sent=sent), 4.0)
    assert made._lanes["a"].gate.requests.left(5.0) == left


def test_a_timeout_is_slow_and_a_long_wait():
    made = HealthBoard(BreakerConfig(slow_after_s=30.0, failure_rate=1.0, consecutive=100), seed=1)
    made.register("a", Address(URL, "m"), latency={"ttft_s": 1.0})
    for _ in range(2):
        call(made, "a", OK, 1.0)
    for n in range(8):
        assert not made.condition("a", 1.0).held.startswith("breaker"), n
        call(made, "a", Verdict(False, blame="breaker", elapsed_s=10.0, slow=True), 1.0)
    assert made.condition("a", 1.0).held.startswith("breaker")
    assert (made.condition("a", 1.0).ttft_s or 0.0) > 3.0


def test_a_degraded_model_is_planned_behind_others_and_admitted_all_the_same():
    made = HealthBoard()
    made.register("a", Address(URL, "m"))
    made.register("twin", Address(URL, "m"))
    made.register("b", Address("elsewhere", "m"))
    for _ in range(2):
        call(made, "a", Verdict(False, blame="breaker"), 1.0)
    for id in ("a", "twin"):
        assert (
            made.condition(id, 1.0).held == "2 of the last 2 calls failed; other models are preferred for another 2.5 s"
        )
        assert not isinstance(made.admit(id, 1.0), Hold)
    assert made.condition("b", 1.0).held == ""
    assert made.condition("a", 3.6).held == ""


def test_a_call_that_was_under_way_does_not_end_a_degradation_and_many_of_them_ask_for_more_failures():
    made = HealthBoard(BreakerConfig(consecutive=9))
    made.register("a", Address(URL, "m"))
    calls = [made.admit("a", 1.0) for _ in range(20)]
    for n, permit in enumerate(calls[:3]):
        assert made.condition("a", 2.0).held == "", n
        made.settle(permit, Verdict(False, blame="breaker"), 2.0)
    for permit in calls[3:]:
        made.settle(permit, OK, 2.5)
    assert made.condition("a", 2.5).held.startswith("3 of the last 3 calls failed")


def test_a_success_teaches_latency():
    made, _ = board()
    call(made, "a", OK, 1.0)
    seen = made.condition("a", 1.0)
    assert seen.wait_s is not None
    assert (seen.wait_s + 250 * seen.s_per_input, seen.s_per_token) == pytest.approx((0.2, 0.02))
    assert made.condition("b", 1.0).ttft_s is None
    assert made.usual_silence_s("a", 250, whole=False) is None
    for _ in range(20):
        call(made, "a", OK, 1.0)
    assert made.usual_silence_s("a", 250, whole=False) == pytest.approx(0.2)
    assert made.usual_silence_s("a", 250, whole=True) == pytest.approx(1.2)
    assert made.usual_silence_s("a", 10_250, whole=False) == pytest.approx(1.2)  # 100 us a token, while that is guessed
    row = made.snapshot(1.0)[0]
    assert (row["ttft_s"], row["ttft_p95_s"], row["took_s"]) == (pytest.approx(0.2), 0.2, pytest.approx(1.2))


def test_a_long_reply_that_is_not_streamed_is_not_slow_for_its_length():
    made = HealthBoard(BreakerConfig(slow_after_s=3.0, failure_rate=1.0), seed=1)
    made.register("a", Address(URL, "m"), latency={"ttft_s": 0.5, "tokens_per_s": 100})
    for _ in range(12):
        call(made, "a", Verdict(True, elapsed_s=10.5, output_tokens=1000, whole=True), 1.0)
    assert made.condition("a", 1.0).held == ""
    for _ in range(48):
        call(made, "a", Verdict(True, elapsed_s=10.5, output_tokens=10, whole=True), 1.0)
    assert made.condition("a", 1.0).held.startswith("breaker open")


def test_pressure_compares_a_model_that_streams_with_one_that_does_not():
    made, _ = board()
    for tokens in (100, 400, 200, 300):
        call(made, "a", Verdict(True, ttft_s=0.5, elapsed_s=0.5 + tokens / 50, output_tokens=tokens), 1.0)
        call(made, "b", Verdict(True, elapsed_s=0.5 + tokens / 50, output_tokens=tokens, whole=True), 1.0)
    streams, whole = (made.condition(id, 1.0).pressure_s(1.0) for id in ("a", "b"))
    assert streams == 0.5
    assert whole < 3 * streams


def test_a_second_settle_is_counted_and_ignored():
    made, _ = board()
    permit = made.admit("a", 1.0)
    assert isinstance(permit, Permit)
    for _ in range(9):
        made.settle(permit, DOWN, 1.0)
    assert made.settled_twice == 8
    row = made.snapshot(1.0)[0]
    assert (row["in_flight"], row["failed"], row["state"]) == (0, 1, "closed")


def test_registering_again_keeps_state_and_takes_limits():
    made, _ = board()
    permit = made.admit("a", 1.0)
    call(made, "a", OK, 1.0)
    made.register("a", Address(URL, "big", "key-1"), limits={"concurrency": 1})
    assert hold(made, "a", 1.0).kind == "full"
    assert made.condition("a", 1.0).wait_s == pytest.approx(0.2 - 250 * READING_S)
    made.register("a", Address(URL, "other", "key-1"))
    assert made.condition("a", 1.0).ttft_s is None
    assert isinstance(permit, Permit)
    made.settle(permit, OK, 2.0)
    assert made.condition("a", 2.0).in_flight == 0
    assert [row["model"] for row in made.snapshot(2.0)] == ["a", "b", "c", "d"]


def test_an_unknown_model_is_named_with_those_known():
    made, _ = board()
    for ask in (made.condition, made.admit, made.force):
        with pytest.raises(ConfigError, match=r"'nobody' is not registered.*known: a, b, c, d"):
            ask("nobody", 1.0)


def test_a_snapshot_is_json_and_complete():
    made, _ = board(concurrency=1)
    made.isolate("d")
    made.admit("a", 1.0)
    trip(made, "c", 1.0)
    rows = {row["model"]: row for row in json.loads(json.dumps(made.snapshot(1.0), allow_nan=False))}
    assert rows["d"]["held_for_s"] is None
    assert rows["a"]["in_flight"] == 1
    assert rows["c"]["success_share"] == rows["c"]["recent_share"] == 0.0
    assert rows["c"]["state"] == "open"
    assert 2.5 <= rows["c"]["held_for_s"] <= 5.0


def test_one_seed_gives_one_run():
    assert trip(board()[0], "a", 10.0) == trip(board()[0], "a", 10.0)


def test_a_listener_may_ask_the_board_and_may_fail(caplog: pytest.LogCaptureFixture):
    asked: list[str] = []

    def listen(event: HealthEvent) -> None:
        asked.append(made.snapshot(event.at)[0]["state"])
        raise ValueError("secret text")

    made = HealthBoard(BreakerConfig(consecutive=5), on_event=listen)
    made.register("a", Address(URL, "m"))
    trip(made, "a", 1.0)
    assert asked == ["closed", "open", "open"]  # the degradation before, that it is over, and the breaker
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_settling_in_the_middle_of_another_call_waits_in_line():
    made, told = board()
    permits = [made.admit("a", 1.0) for _ in range(5)]
    with made._lock:  # as when the garbage collector closes an abandoned stream just here
        for permit in permits:
            assert isinstance(permit, Permit)
            made.settle(permit, DOWN, 1.0)
        assert told == []
    assert isinstance(made.admit("b", 1.0), Hold)
    assert [e.kind for e in told] == ["degraded", "recovered", "breaker_opened"]
    assert made.condition("a", 1.0).in_flight == 0
