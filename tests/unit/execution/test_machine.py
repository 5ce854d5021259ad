"""What follows from each fault: again, elsewhere, or an end with a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from capability_router import (
    AllCandidatesFailed,
    BudgetExceeded,
    NoEligibleModel,
    Reply,
    Request,
    RouterBusy,
    StreamInterrupted,
    Usage,
    routing,
)
from capability_router.clock import ManualClock, SystemClock
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import KINDS, Fault
from capability_router.health.board import Verdict
from capability_router.request import Finish
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, assert_books_balanced, scripted_router

MOVE_ON = sorted(n for n, k in KINDS.items() if k.other == "yes" and n != "empty")


def told(run: Any) -> list[tuple[str, str | None]]:
    return [(a.model, a.fault) for a in run.outcome.attempts]


@pytest.mark.parametrize("kind", MOVE_ON)
@pytest.mark.parametrize("stream", [False, True])
def test_faults_of_the_provider_move_on(kind: str, stream: bool) -> None:
    router = scripted_router({"a": [kind], "b": ["ok"]})
    run = ask(router, stream=stream)
    assert told(run) == [("a", kind), ("b", None)]
    assert run.outcome.fallback
    assert "fallback: a" in run.outcome.reason
    assert_books_balanced(router)


@pytest.mark.parametrize("kind", ["bad_request", "content_filtered", "refusal"])
def test_faults_of_the_request_end_it(kind: str) -> None:
    router = scripted_router({"a": [kind], "b": ["ok"]})
    with pytest.raises(AllCandidatesFailed) as caught:
        ask(router)
    assert [f.model for f in caught.value.failures] == ["a"]
    assert_books_balanced(router)


def test_filtered_content_moves_on_only_where_that_is_wanted() -> None:
    router = scripted_router({"a": ["content_filtered"], "b": ["ok"]}, on_content_filter="fallback")
    assert ask(router).outcome.model == "b"
    finished = Reply(finish=Finish.CONTENT_FILTER, text="I can't", usage=Usage(5, 2))
    assert ask(scripted_router({"a": [finished], "b": ["ok"]})).answer == "I can't"
    assert ask(scripted_router({"a": [finished], "b": ["ok"]}, on_content_filter="fallback")).outcome.model == "b"


def test_overflow_goes_only_to_windows_that_may_hold_more() -> None:
    cards = {"a": {"context_window": 8_000}, "b": {"context_window": 8_000}, "c": {"context_window": 4_000}, "d": {}}
    scripts = {"a": ["context_overflow"], "b": ["ok"], "c": ["ok"], "d": ["ok"]}
    assert told(ask(scripted_router(scripts, cards=cards))) == [("a", "context_overflow"), ("d", None)]


def test_overflow_believes_the_window_that_the_provider_names() -> None:
    cards = {"a": {}, "b": {"context_window": 16_000}, "c": {"context_window": 64_000}}
    scripts = {"a": [Fault("context_overflow", window=32_000)], "b": ["ok"], "c": ["ok"]}
    assert ask(scripted_router(scripts, cards=cards)).outcome.model == "c"


def test_overflow_rules_out_the_retry_of_a_smaller_window() -> None:
    cards = {"a": {"context_window": 8_000}, "b": {"context_window": 16_000}}
    router = scripted_router({"a": ["overloaded", "ok"], "b": ["context_overflow"]}, cards=cards)
    with pytest.raises(AllCandidatesFailed) as caught:
        ask(router)
    assert [(one.model, one.fault) for one in caught.value.failures] == [("a", "overloaded"), ("b", "context_overflow")]


def test_a_lone_model_is_tried_again_after_its_back_off() -> None:
    clock = ManualClock()
    router = scripted_router({"a": ["overloaded", "ok"]}, clock=clock, retry={"wait": {"fixed": 2.5}})
    run = ask(router)
    assert (told(run), clock.now()) == ([("a", "overloaded"), ("a", None)], 2.5)
    assert not run.outcome.fallback


def test_a_lone_model_that_asks_for_time_gets_it() -> None:
    clock = ManualClock()
    router = scripted_router({"a": [Fault("rate_limited", retry_after_s=7.0), "ok"]}, clock=clock)
    assert told(ask(router)) == [("a", "rate_limited"), ("a", None)]
    assert clock.now() == pytest.approx(7.0, abs=0.1)


def test_a_wait_longer_than_allowed_is_not_waited() -> None:
    clock = ManualClock()
    router = scripted_router({"a": [Fault("rate_limited", retry_after_s=90.0), "ok"]}, clock=clock)
    with pytest.raises(AllCandidatesFailed, match="rate limited"):
        ask(router)
    assert clock.now() < 1


def test_attempts_are_bounded() -> None:
    router = scripted_router({n: ["server_error"] for n in "abcdefg"}, retry={"attempts": 3})
    with pytest.raises(AllCandidatesFailed, match=r"Not reached within 3 attempts: d, e, f, g"):
        ask(router)


def test_no_launch_after_the_deadline_and_the_error_says_so() -> None:
    models = {n: ScriptedModel(["server_error"], delay_s=2.0) for n in "abcd"}
    router = scripted_router(models)
    with routing(deadline_s=3.0), pytest.raises(AllCandidatesFailed, match="deadline of 3 s is over"):
        ask(router)
    assert sum(m.calls for m in models.values()) == 2


def test_a_filter_that_ends_the_request_is_named_and_not_the_attempts() -> None:
    router = scripted_router({"a": ["content_filtered"], "b": ["ok"]})
    with pytest.raises(AllCandidatesFailed, match=r'No other model was tried: on_content_filter is "return"') as caught:
        ask(router)
    assert "attempts:" not in str(caught.value)


def test_the_first_attempts_exception_is_the_cause() -> None:
    first = RuntimeError("the first")
    router = scripted_router({"a": [Fault("overloaded", error=first)], "b": ["auth"]})
    with pytest.raises(AllCandidatesFailed) as caught:
        ask(router)
    assert caught.value.__cause__ is first


def test_an_empty_answer_moves_on_and_is_delivered_when_nothing_better_comes() -> None:
    assert ask(scripted_router({"a": ["empty"], "b": ["ok"]})).outcome.model == "b"
    run = ask(scripted_router({"a": ["empty"], "b": ["overloaded"]}))
    assert (run.outcome.model, run.answer) == ("a", "")


def test_an_unparsable_answer_moves_on() -> None:
    router = scripted_router({"a": [Reply(text="{", parse_error="not JSON", usage=Usage(1, 1))], "b": ["ok"]})
    assert told(ask(router)) == [("a", "unparsable"), ("b", None)]


@pytest.mark.parametrize("step", ["cut:0", "cut:1", "stop:0"])
def test_streams_fall_back_before_the_first_text(step: str) -> None:
    router = scripted_router({"a": ["ok", step], "b": ["ok"]})
    ask(router, stream=True)  # a has given a terminal reason once, so a missing one is a fault
    run = ask(router, stream=True)
    assert run.outcome.model == "b"
    assert run.answer == "one two three"


@pytest.mark.parametrize("step", ["cut:2", "stop:2"])
def test_streams_never_fall_back_after_it(step: str) -> None:
    router = scripted_router({"a": ["ok", step], "b": ["ok"]})
    ask(router, stream=True)
    with pytest.raises(StreamInterrupted) as caught:
        ask(router, stream=True)
    assert caught.value.partial == "one "
    assert router.scripted["b"].calls == 0  # type: ignore[attr-defined]
    assert_books_balanced(router)


def test_a_model_that_never_gives_reasons_is_not_blamed_for_it() -> None:
    assert ask(scripted_router({"a": ["silent"], "b": ["ok"]}), stream=True).outcome.model == "a"


def test_a_dead_primary_costs_few_calls() -> None:
    router = scripted_router({"a": ["server_error"], "b": ["ok"]})
    for _ in range(100):
        assert ask(router).outcome.model == "b"
    assert router.scripted["a"].calls == 2  # type: ignore[attr-defined]


def test_when_all_breakers_are_open_the_least_bad_is_still_tried() -> None:
    settings = {"retry": {"wait": {"fixed": 0}}, "health": {"consecutive": 5}}
    router = scripted_router({"a": ["server_error"] * 6 + ["ok"]}, **settings)
    for _ in range(3):  # the fifth call opens the breaker; its retry is forced, and so is the next request
        with pytest.raises(AllCandidatesFailed):
            ask(router)
    assert "breaker" in router.health()[0]["held"]
    assert ask(router).answer == "one two three"


def test_a_full_model_gives_way_to_another_and_then_to_a_clear_error() -> None:
    scripts = {"a": ["ok"], "b": ["ok"]}
    cards = {"a": {"limits": {"concurrency": 1}}, "b": {"limits": {"concurrency": 1}}}
    router = scripted_router(scripts, cards=cards, retry={"max_wait_s": 0.5})
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)  # type: ignore[attr-defined]
    first = iter(router.start(Request(("x",), stream=True), endpoint))
    next(first)
    second = iter(router.start(Request(("x",), stream=True), endpoint))
    next(second)
    assert [launch.candidate.id for launch in endpoint.launches] == ["a", "b"]
    with pytest.raises(RouterBusy, match="nothing was sent"):
        ask(router)
    first.close()
    assert ask(router).outcome.model == "a"
    second.close()
    assert_books_balanced(router)


def test_a_budget_refuses_before_anything_is_sent() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "tenant:acme", "limit_usd": 0.0001}])
    with routing(tenant="acme"), pytest.raises(BudgetExceeded, match="tenant:acme"):
        ask(router)
    assert router.scripted["a"].calls == 0  # type: ignore[attr-defined]
    assert ask(router).outcome.ok
    assert_books_balanced(router)


def test_a_degrading_budget_takes_the_cheaper_model() -> None:
    dear = {"price": {"input_mtok": 500, "output_mtok": 500}, "max_output_tokens": 1_024}
    cards = {"dear": dear, "cheap": {"max_output_tokens": 1_024}}
    budget = [{"scope": "global", "limit_usd": 0.05, "on_exceed": "degrade"}]
    router = scripted_router({"dear": ["ok"], "cheap": ["ok"]}, cards=cards, budgets=budget)
    assert ask(router).outcome.model == "cheap"


def test_an_error_that_is_no_providers_passes_and_leaves_nothing_behind() -> None:
    class Mine(Exception): ...

    class Broken(ScriptedModel):
        def next_step(self) -> str:
            raise Mine

    router = scripted_router({"a": Broken(["ok"]), "b": ["ok"]})
    with pytest.raises(Mine):
        ask(router)
    assert router.ledger.calls()[0].fault == "cancelled"
    assert router.health()[0]["held"] == ""
    assert_books_balanced(router)


def test_nothing_eligible_sends_nothing_and_lists_every_reason() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, cards={"a": {"context_window": 4}, "b": {"tenants": ["x"]}})
    with pytest.raises(NoEligibleModel) as caught:
        ask(router)
    assert {(r.model, r.rule) for r in caught.value.refusals} == {("a", "context_window"), ("b", "tenant")}
    assert router.ledger.total().calls == 0


def test_failed_attempts_are_booked() -> None:
    cut = ScriptedModel(["cut:4"], usage=None)
    router = scripted_router({"a": cut, "b": ["ok"]})
    ask(router)
    calls = router.ledger.calls()
    assert [(c.model, c.fault, c.estimated) for c in calls] == [("a", "connection", True), ("b", None, False)]
    assert all(c.cost_usd > 0 for c in calls)  # type: ignore[operator]
    assert calls[1].cost_usd == Decimal("0.000016")


def test_rejected_attempts_cost_nothing_even_at_an_unknown_price() -> None:
    run = ask(scripted_router({"a": ["rate_limited"], "b": ["ok"]}, cards={"a": {"price": None}}))
    assert run.outcome.cost_pico == 16 * 10**6


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    run = ask(scripted_router({"a": ["ok"]}, cards={"a": {"price": None}}))
    assert run.outcome.annotation()["cost_usd"] is None


def test_a_providers_own_bill_wins_and_a_cache_hit_is_free() -> None:
    billed = Reply(text="x", finish=Finish.STOP, usage=Usage(10, 3), cost_usd="0.5")
    assert ask(scripted_router({"a": [billed]})).outcome.cost_pico == 5 * 10**11
    cached = Reply(text="x", finish=Finish.STOP, usage=Usage(10, 3), cached=True)
    assert ask(scripted_router({"a": [cached]})).outcome.cost_pico == 0


class Slow(ScriptedModel):
    """Waits on the real clock before its chunks, or between them."""


async def run_async(router: Any, stream: bool) -> Any:
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=stream)
    run = router.start(Request(("x",), stream=stream), endpoint)
    chunks = [chunk async for chunk in run]
    return run, "".join(chunks)


async def test_a_stalled_first_token_moves_on() -> None:
    models = {"a": ScriptedModel(["ok"], delay_s=5.0), "b": ScriptedModel(["ok"])}
    router = scripted_router(models, clock=SystemClock(), timeouts={"first_token": 0.05})
    run, answer = await run_async(router, True)
    assert (run.outcome.model, answer) == ("b", "one two three")
    assert "first token" in run.outcome.attempts[0].detail
    assert_books_balanced(router)


async def test_the_total_clock_bounds_a_unary_call() -> None:
    models = {"a": ScriptedModel(["ok"], delay_s=5.0), "b": ScriptedModel(["ok"])}
    router = scripted_router(models, clock=SystemClock(), timeouts={"total": 0.05})
    run, _ = await run_async(router, False)
    assert [(a.model, a.fault) for a in run.outcome.attempts] == [("a", "timeout"), ("b", None)]


async def test_the_deadline_bounds_everything() -> None:
    models = {n: ScriptedModel(["ok"], delay_s=5.0) for n in "abc"}
    router = scripted_router(models, clock=SystemClock(), deadline_s=0.08)
    with pytest.raises(AllCandidatesFailed, match=r"deadline of 0\.08 s"):
        await run_async(router, False)
    assert_books_balanced(router)


async def test_cancellation_gives_everything_back() -> None:
    models = {"a": ScriptedModel(["ok"], delay_s=5.0)}
    router = scripted_router(models, clock=SystemClock())
    task = asyncio.create_task(run_async(router, True))
    await asyncio.sleep(0.02)
    assert router.ledger.unsettled == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_books_balanced(router)
    assert router.health()[0]["held"] == ""


def test_a_bad_request_says_what_to_mend() -> None:
    with pytest.raises(AllCandidatesFailed, match="Fix the request"):
        ask(scripted_router({"a": ["bad_request"], "b": ["ok"]}))


def test_a_provider_that_says_nothing_is_left_is_not_asked_again_until_it_resets() -> None:
    last = Reply(
        text="x",
        finish=Finish.STOP,
        usage=Usage(1, 1),
        headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "5s"},
    )
    clock = ManualClock()
    router = scripted_router({"a": [last, "ok"], "b": ["ok"]}, clock=clock)
    assert [ask(router).outcome.model for _ in range(3)] == ["a", "b", "b"]
    clock.advance(6)
    assert ask(router).outcome.model == "a"


@pytest.mark.parametrize(("wait_s", "waits"), [(10.0, True), (2.0, False)])
def test_a_lone_one_is_waited_for_and_asked_all_the_same_where_that_takes_too_long(wait_s: float, waits: bool) -> None:
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "5s"}
    last = Reply(text="x", finish=Finish.STOP, usage=Usage(1, 1), headers=spent)
    clock = ManualClock()
    router = scripted_router({"a": [last, "ok"]}, clock=clock, retry={"max_wait_s": wait_s})
    ask(router)
    before = clock.now()
    assert ask(router).outcome.model == "a"
    assert (clock.now() - before >= 5.0) is waits


def test_waits_are_counted_from_the_end_of_an_attempt() -> None:
    router = scripted_router({"a": ScriptedModel(["server_error", "ok"], delay_s=31)}, retry={"max_wait_s": 10})
    assert told(ask(router)) == [("a", "server_error"), ("a", None)]


def test_a_full_model_that_becomes_free_is_not_missed_for_a_long_back_off() -> None:
    cards = {"b": {"limits": {"concurrency": 1}}}
    router = scripted_router({"a": ["overloaded", "ok"], "b": ["ok"]}, cards=cards, retry={"wait": {"fixed": 5}})
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)
    other = router.start(Request(("x",), stream=True), endpoint)
    with routing(allow=["b"]):
        busy = iter(router.start(Request(("x",), stream=True), endpoint))
    next(busy)
    clock = router.clock
    assert isinstance(clock, ManualClock)
    slept = clock.sleep

    def sleep(seconds: float) -> None:
        slept(seconds)
        if clock.now() > 1:
            busy.close()

    clock.sleep = sleep  # type: ignore[method-assign]
    list(other)
    assert other.outcome is not None
    assert (other.outcome.model, clock.now() < 5) == ("b", True)
    assert_books_balanced(router)


def test_a_long_back_off_does_not_keep_a_broken_model_from_being_tried() -> None:
    settings = {"retry": {"wait": {"fixed": 8}}, "health": {"consecutive": 5}}
    router = scripted_router({"a": ["overloaded"], "b": ["ok"]}, **settings)
    router.board.isolate("b")
    assert told_error(router) == ["a", "a"]
    router.board.reset("b")
    for _ in range(5):
        permit = router.board.admit("b", router.clock.now())
        router.board.settle(permit, Verdict(ok=False, blame="breaker"), router.clock.now())  # type: ignore[arg-type]
    assert told(ask(router)) == [("a", "overloaded"), ("b", None)]


def told_error(router: Router) -> list[str]:
    with pytest.raises(AllCandidatesFailed) as caught:
        ask(router)
    return [f.model for f in caught.value.failures]


def test_a_poor_answer_that_is_delivered_is_the_one_that_is_told_of() -> None:
    router = scripted_router({"a": [Reply(usage=Usage(7, 1))], "b": ["auth"]}, retry={"per_target": 0})
    outcome = ask(router).outcome
    assert (outcome.model, outcome.usage) == ("a", Usage(7, 1))
    assert outcome.reason.startswith("nothing better was found: a gave an empty answer")


def test_a_deadline_of_nothing_is_named() -> None:
    with pytest.raises(RouterBusy, match="the deadline of 0 s is over"), routing(deadline_s=0):
        ask(scripted_router({"a": ["ok"]}))


def test_a_denial_names_the_cap_and_what_is_left_of_it() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 0.001}])
    with pytest.raises(BudgetExceeded) as caught:
        ask(router)
    assert (caught.value.scope, caught.value.left_usd) == ("global", Decimal("0.001"))


def test_a_cap_that_kept_a_fallback_away_is_told() -> None:
    budgets = [{"scope": "model:b", "limit_usd": 0.0}]
    with pytest.raises(AllCandidatesFailed, match=r"model:b: .* left"):
        ask(scripted_router({"a": ["overloaded"], "b": ["ok"]}, budgets=budgets, retry={"per_target": 0}))


@pytest.mark.parametrize("cost", [-1.0, float("nan"), "n/a"])
def test_a_providers_bill_that_is_none_leaves_the_price(cost: Any) -> None:
    router = scripted_router({"a": [Reply(usage=Usage(1, 1), text="x", cost_usd=cost)]})
    assert ask(router).outcome.cost_pico == 3_000_000
    assert_books_balanced(router)


class Dripping(ScriptedEndpoint):
    """Gives a chunk every 200 ms, for ever in a stream."""

    def start(self, launch: Launch) -> Any:
        attempt = super().start(launch)
        attempt.chunks, attempt.achunks = self._drip, self._adrip  # type: ignore[method-assign]
        return attempt

    def _drip(self) -> Iterator[str]:
        for _ in range(20):
            self._clock.sleep(0.2)
            yield "x"

    async def _adrip(self) -> AsyncIterator[str]:
        yield "x"
        await asyncio.sleep(60)


def test_a_stream_that_drips_ends_at_its_deadline_in_sync_too() -> None:
    router = scripted_router({"a": ["ok"]})
    with routing(deadline_s=1.0):
        run = router.start(Request(("x",), stream=True), Dripping(router.scripted, router.clock))
    with pytest.raises(StreamInterrupted, match="whole answer"):
        list(run)
    assert router.clock.now() == pytest.approx(1.0, abs=0.21)


async def test_the_deadline_outlives_the_first_chunk_of_a_whole_reply() -> None:
    router = scripted_router({"a": ["ok"]}, clock=SystemClock())
    with routing(deadline_s=0.05):
        run = router.start(Request(("x",)), Dripping(router.scripted, router.clock))
    with pytest.raises(AllCandidatesFailed, match="whole answer"):
        [chunk async for chunk in run]


def test_an_attempt_that_cannot_start_is_not_booked_with_the_last_ones_tokens() -> None:
    class Unbuilt(ScriptedEndpoint):
        def start(self, launch: Launch) -> Any:
            if launch.attempt == 2:
                raise RuntimeError
            return super().start(launch)

    router = scripted_router({"a": [Reply(usage=Usage(1_000, 1_000))], "b": ["ok"]})
    with pytest.raises(RuntimeError):
        list(router.start(Request(("hi",)), Unbuilt(router.scripted, router.clock)))
    first, second = router.ledger.calls()
    assert (first.input_tokens, second.input_tokens < 10) == (1_000, True)
    assert_books_balanced(router)


def test_a_run_is_iterated_once() -> None:
    run = ask(scripted_router({"a": ["ok"]}))
    with pytest.raises(RuntimeError, match="iterated before"):
        list(run)


def test_what_a_failed_attempt_may_have_cost() -> None:
    faults = {
        "refused": (Fault("connection", sent=False), 0),
        "cut": (Fault("connection"), 1),
        "in the stream": (Fault("overloaded", started=True), 1),
        "turned away": (Fault("overloaded", status=529), 0),
        "filtered": (Fault("content_filtered", status=400), 0),
        "late": (Fault("timeout"), 1),
    }
    for name, (fault, booked) in faults.items():
        router = scripted_router({"a": [fault], "b": ["ok"]}, on_content_filter="fallback")
        ask(router)
        assert (router.ledger.calls()[0].cost_pico or 0) // (router.ledger.calls()[0].cost_pico or 1) == booked, name
