"""Who waits for a model is not overtaken there: neither by small requests, nor by hedges, nor past a full queue."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import GOOD, HEDGE, Stage, told

from capability_router import Request, RouterBusy, routing
from capability_router.execution.effects import Launch, SetAlarm
from capability_router.execution.events import AlarmRang, Began, Completed
from capability_router.execution.machine import Execution
from capability_router.health.board import Permit, Verdict
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ask, assert_books_balanced, scripted_router

ONE = {"a": {"limits": {"concurrency": 1}}}


def asking(router: Router, words: int) -> Execution:
    endpoint = ScriptedEndpoint({}, router.clock, stream=False)
    return router.start(Request(("word " * words,)), endpoint)._machine


def waiting(router: Router, *models: str) -> None:
    """Somebody waits for these."""
    place = router.queue.place("interactive")
    assert place is not None
    router.queue.stand(place, models, router.clock.now() + 600.0)


def test_a_large_request_has_its_turn_however_many_small_ones_come_after_it() -> None:
    router = scripted_router({"a": ["ok"]}, cards={"a": {"limits": {"tpm": 6_000}}}, retry={"max_wait_s": 300})
    for _ in range(60):  # the usual size
        small = router.board.admit("a", 0.0, 100)
        assert isinstance(small, Permit)
        router.board.settle(small, Verdict(True, tokens=100), 0.0)
    large, before, at = asking(router, 4_000), 0, 10.0
    effects = large.feed(Began(at))
    while not isinstance(effects[0], Launch):
        at += 0.1
        small_one = asking(router, 80)
        if isinstance(small_one.feed(Began(at))[0], Launch):
            small_one.feed(Completed(at, 1, GOOD))
            before += 1
        effects = large.feed(AlarmRang(at))
        assert at < 60.0, f"{before} small requests went before it"
    assert before == 0


@pytest.mark.parametrize("retry", [{"max_waiting": 1}, {"max_wait_s": 0}])
@pytest.mark.parametrize("priority", ["interactive", "batch"])
def test_who_can_not_wait_does_not_take_the_place_that_another_waits_for(retry: Any, priority: Any) -> None:
    router = scripted_router({"a": ["ok"]}, cards=ONE, retry=retry)
    waiting(router, "a")
    with routing(priority=priority), pytest.raises(RouterBusy, match="full: 1 request waits before this one"):
        ask(router)


def test_but_it_may_go_beyond_a_limit_that_is_only_learned() -> None:
    router = scripted_router({"a": ["ok"]}, retry={"max_wait_s": 0})
    permits = [router.board.admit("a", 0.0) for _ in range(5)]
    for permit in permits:
        assert isinstance(permit, Permit)
        router.board.settle(permit, Verdict(ok=False, blame="none", overloaded=True), 0.0)
    for _ in range(3):
        router.board.admit("a", 0.0)
    waiting(router, "a")
    assert ask(router).outcome.model == "a"


@pytest.mark.parametrize(("ahead", "hedged"), [(0, True), (1, False)])
def test_a_hedge_does_not_take_the_place_that_another_waits_for(ahead: int, hedged: bool) -> None:
    stage = Stage("ab", hedge=HEDGE, card_b=ONE["a"])
    stage.begin()
    for _ in range(ahead):
        waiting(stage.router, "b")
    launched = ("launch", 2, "b", "silence") in told(stage.rang(102.0))
    assert launched is hedged
    stage.completed(103.0)
    assert_books_balanced(stage.router)


def test_what_is_full_until_one_moment_for_all_is_waited_for_by_more_than_the_first() -> None:
    card = {"latency": {"ttft_s": 0.5, "tokens_per_s": 50}}
    router = scripted_router({"a": ["ok"]}, cards={"a": card}, retry={"max_wait_s": 30})
    reported = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}
    router.board.note_limits("a", reported, 0.0)
    first, second = asking(router, 10), asking(router, 10)
    for machine in (first, second):
        machine.feed(Began(0.0))
        assert machine.over is None
    assert [isinstance(machine.feed(AlarmRang(20.0))[0], Launch) for machine in (first, second)] == [True, True]


def test_who_is_behind_others_does_not_look_all_the_time_for_short_calls() -> None:
    card = {"limits": {"concurrency": 2}, "latency": {"ttft_s": 0.0001, "tokens_per_s": 100_000}}
    router = scripted_router({"a": ["ok"]}, cards={"a": card})
    for _ in range(2):
        router.board.admit("a", 0.0)
    behind: list[float] = []
    for _ in range(8):
        machine = asking(router, 1)
        (alarm,) = machine.feed(Began(0.0))
        assert isinstance(alarm, SetAlarm)
        assert alarm.at is not None
        behind.append(alarm.at)
    assert behind[0] < 0.02, "the first looks as soon as a call may be over"
    assert behind[1:] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1])
