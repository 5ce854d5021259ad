"""A model whose breaker is open and which is full as well: requests wait for it as for any full one."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import Stage, told

from capability_router import RouterBusy
from capability_router.health.permit import UNSENT, Hold, Permit, Verdict

DOWN = Verdict(False, blame="breaker")
REFUSED = Verdict(False, blame="none", overloaded=True)


def trip(stage: Stage, id: str, at: float = 99.0) -> None:
    """Open its breaker."""
    for _ in range(5):
        permit = stage.router.board.admit(id, at)
        assert isinstance(permit, Permit)
        stage.router.board.settle(permit, DOWN, at)


def fill(stage: Stage, id: str, calls: int, at: float = 99.0) -> list[Permit]:
    """Let in so many calls, whatever its breaker says."""
    permits = [stage.router.board.force(id, at) for _ in range(calls)]
    assert all(isinstance(permit, Permit) for permit in permits)
    return [permit for permit in permits if isinstance(permit, Permit)]


def learn(stage: Stage, id: str, at: float = 99.0) -> None:
    """It refused one of five calls at once: it is taken to bear four."""
    permits = fill(stage, id, 5, at)
    for permit in permits:
        stage.router.board.settle(permit, REFUSED, at)


def full(ids: str = "a", **settings: Any) -> tuple[Stage, list[Permit]]:
    """The breaker of "a" is open for longer than a request waits, and its two places are taken."""
    card = {"limits": {"concurrency": 2}}
    stage = Stage(ids, card_a=card, health={"open_s": 60.0, "max_open_s": 60.0}, policy="single", **settings)
    trip(stage, "a")
    return stage, fill(stage, "a", 2)


def test_a_request_waits_for_a_place_and_is_called_when_a_call_ends() -> None:
    stage, taken = full()
    assert told(stage.begin()) == [("alarm", 100.1)]
    stage.router.board.settle(taken[0], UNSENT, 100.05)
    stage.router.queue.freed("a")
    assert stage.machine.wakeup.told
    assert told(stage.rang(100.05)) == [("launch", 1, "a", ""), ("alarm", None)]


def test_a_request_that_comes_later_does_not_go_before_it() -> None:
    stage, taken = full()
    later = stage.again()
    stage.begin()
    stage.router.board.settle(taken[0], UNSENT, 100.05)
    assert told(later.begin(100.06))[0][0] == "alarm"
    assert told(stage.rang(100.07))[0] == ("launch", 1, "a", "")


def test_a_stated_limit_is_kept_and_the_error_names_both() -> None:
    stage, _ = full(retry={"max_wait_s": 0.5})
    stage.begin()
    assert told(stage.rang(100.5)) == [("finish", None)]
    text = r"a: breaker open for another \d+ s and full: 2 calls in flight, limit 2"
    with pytest.raises(RouterBusy, match=text) as error:
        raise stage.error or AssertionError
    assert "Raise limits.concurrency" in str(error.value)


def test_another_open_one_that_has_a_place_is_called_at_once() -> None:
    stage, _ = full("ab")
    trip(stage, "b")
    assert told(stage.begin())[0] == ("launch", 1, "b", "")


def test_beside_a_learned_limit_it_is_called_when_the_wait_is_over_and_not_before() -> None:
    stage = Stage("a", health={"open_s": 60.0, "max_open_s": 60.0}, retry={"max_wait_s": 0.5})
    learn(stage, "a")
    trip(stage, "a")
    fill(stage, "a", 4)
    assert told(stage.begin())[0][0] == "alarm"
    assert told(stage.rang(100.1))[0][0] == "alarm"
    assert told(stage.rang(100.5))[0] == ("launch", 1, "a", "")


def test_the_one_whose_breaker_is_closed_is_called_first_when_the_wait_is_over() -> None:
    health = {"open_s": 60.0, "max_open_s": 60.0}
    latency = {"latency": {"ttft_s": 90.0}}
    stage = Stage("ab", policy="single", health=health, retry={"max_wait_s": 0.5}, card_a=latency, card_b=latency)
    for id in "ab":
        learn(stage, id)
    trip(stage, "a")
    for id in "ab":
        fill(stage, id, 4)
    assert told(stage.begin())[0] == ("launch", 1, "b", "")


def test_a_limit_per_minute_holds_past_the_breaker() -> None:
    stage = Stage("a", card_a={"limits": {"rpm": 6}}, health={"open_s": 60.0, "max_open_s": 60.0})
    trip(stage, "a", 100.0)
    assert told(stage.begin())[0] == ("launch", 1, "a", "")
    second, third = stage.again(), stage.again()
    assert told(second.begin()) == [("alarm", 100.1)]
    assert told(third.begin())[0][0] == "alarm"
    assert told(second.rang(109.9))[0][0] == "alarm"
    assert told(third.rang(110.0))[0][0] == "alarm"
    assert told(second.rang(110.0))[0] == ("launch", 1, "a", "")


def test_the_rest_that_a_provider_reports_is_passed_when_the_wait_is_over_and_not_before() -> None:
    stage = Stage("a", health={"open_s": 60.0, "max_open_s": 60.0}, retry={"max_wait_s": 10.0})
    trip(stage, "a", 100.0)
    spent = {"x-ratelimit-limit-requests": "6", "x-ratelimit-remaining-requests": "1"}
    stage.router.board.note_limits("a", {**spent, "x-ratelimit-reset-requests": "40s"}, 100.0)
    assert told(stage.begin())[0] == ("launch", 1, "a", "")
    second, third = stage.again(), stage.again()
    assert told(second.begin())[0][0] == "alarm"
    assert told(third.begin())[0] == ("launch", 1, "a", "")


def test_a_call_past_the_breaker_is_counted_with_its_tokens() -> None:
    stage = Stage("a", card_a={"limits": {"tpm": 1000}})
    trip(stage, "a", 40.0)
    board = stage.router.board
    forced = board.force("a", 40.0, 900)
    assert isinstance(forced, Permit)
    board.settle(forced, UNSENT, 40.0)
    forced = board.force("a", 40.0, 900)
    assert isinstance(forced, Permit)
    board.settle(forced, Verdict(True), 41.0)
    held = board.admit("a", 41.0, 900)
    assert isinstance(held, Hold)
    assert held.kind == "full"


def test_where_its_provider_asks_to_wait_as_well_it_is_not_called() -> None:
    stage = Stage("a")
    trip(stage, "a")
    learn(stage, "a")
    fill(stage, "a", 4)
    last = stage.router.board.admit_over_learned_limit("a", 99.0)
    assert isinstance(last, Permit)
    stage.router.board.settle(last, Verdict(False, blame="breaker", retry_after_s=50.0), 99.0)
    assert isinstance(stage.router.board.admit_over_learned_limit("a", 148.9), Hold)
    assert isinstance(stage.router.board.admit_over_learned_limit("a", 149.0), Permit)


def test_the_reason_of_an_answer_is_not_that_of_a_model_that_was_found_full() -> None:
    """It was free when it was chosen, and taken by another request when it was to be called."""
    stage = Stage("ab", policy="single", card_a={"limits": {"concurrency": 1}}, retry={"max_wait_s": 0.0})
    assert stage.run.plan.chosen.id == "a"
    (taken,) = fill(stage, "a", 1)
    assert told(stage.begin())[0] == ("launch", 1, "b", "")
    stage.router.board.settle(taken, UNSENT, 100.4)
    stage.chunk(100.5)
    stage.completed(101.0)
    assert stage.outcome.reason == "instead of a, which was held (full)"
