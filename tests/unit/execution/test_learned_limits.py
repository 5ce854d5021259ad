"""A limit of calls at once that was only learned turns nobody away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import Request, RouterBusy
from capability_router.clock import SystemClock
from capability_router.execution.effects import Launch
from capability_router.execution.events import AlarmRang, Began
from capability_router.health.permit import Permit, Verdict
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router
from capability_router.testing import ask as asked


def learned(**settings: Any) -> tuple[Router, dict[str, GatedModel]]:
    """A model that refused one of five calls at once, and bears four as far as is known."""
    router = scripted_router({"a": ["ok"]}, clock=SystemClock(), **settings)
    now = router.clock.now()
    permits = [router.board.admit("a", now) for _ in range(5)]
    for permit in permits:
        assert isinstance(permit, Permit)
        router.board.settle(permit, Verdict(ok=False, blame="none", overloaded=True), now)
    assert router.health()[0]["concurrency_limit"] == 4
    return router, {"a": GatedModel(("", "a"), shut=(1,))}


async def ask(router: Router, models: dict[str, GatedModel]) -> str:
    run = router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True))
    return "".join([chunk async for chunk in run])


@pytest.mark.parametrize("settings", [
    {"retry": {"max_wait_s": 0.05}}, {"retry": {"max_waiting": 1}}, {"deadline_s": 5.0, "retry": {"max_wait_s": 0}},
    {"deadline_s": 0.9},
])  # fmt: skip
async def test_who_would_be_refused_goes_over_it(settings: dict[str, Any]) -> None:
    router, models = learned(**settings)
    asked = [asyncio.create_task(ask(router, models)) for _ in range(8)]
    while models["a"].calls < 7 and not all(task.done() for task in asked[4:]):  # noqa: ASYNC110 - as below; one may stand
        await asyncio.sleep(0.001)
    models["a"].open()
    assert await asyncio.gather(*asked) == ["a"] * 8
    assert_books_balanced(router)


async def test_a_stated_limit_holds_as_ever() -> None:
    router, models = learned(retry={"max_wait_s": 0.05})
    router.board.register("a", next(iter(router.registry)).address, limits={"concurrency": 5})
    asked = [asyncio.create_task(ask(router, models)) for _ in range(8)]
    while sum(task.done() for task in asked) < 3:  # noqa: ASYNC110 - whichever they are
        await asyncio.sleep(0.001)
    models["a"].open()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, RouterBusy) for answer in told) == 3
    text = str(next(answer for answer in told if isinstance(answer, RouterBusy)))
    assert "a: full: 5 calls in flight, limit 5" in text
    assert "Raise limits.concurrency" in text


def test_it_says_what_it_was_learned_from() -> None:
    router, _ = learned()
    now = router.clock.now()
    for _ in range(4):
        router.board.admit("a", now)
    hold = router.board.admit("a", now)
    assert hold.reason == "full: 4 calls in flight, limit 4, learned from refusals (429, 529) under load"
    assert hold.mend == "switch learned limits off (health: {learns_limits: false})"


def test_where_a_budget_forbids_one_model_beyond_its_limit_the_next_is_taken() -> None:
    cap = {"scope": "model:a", "limit_usd": 0.0, "on_exceed": "degrade"}
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, budgets=[cap], retry={"max_wait_s": 0})
    now = router.clock.now()
    for id in "ab":
        permits = [router.board.admit(id, now) for _ in range(5)]
        for permit in permits:
            assert isinstance(permit, Permit)
            router.board.settle(permit, Verdict(ok=False, blame="none", overloaded=True), now)
        for _ in range(4):
            router.board.admit(id, now)
    assert asked(router).outcome.model == "b"


def test_and_there_it_is_still_before_those_who_came_later() -> None:
    cap = {"scope": "model:a", "limit_usd": 0.0, "on_exceed": "degrade"}
    cards = {"b": {"limits": {"concurrency": 6}}}
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, budgets=[cap], cards=cards, retry={"max_wait_s": 1.0})
    for id in "ab":
        permits = [router.board.admit(id, 0.0) for _ in range(5)]
        for permit in permits:
            assert isinstance(permit, Permit)
            router.board.settle(permit, Verdict(ok=False, blame="none", overloaded=True), 0.0)
        for _ in range(4):
            router.board.admit(id, 0.0)
    endpoint = ScriptedEndpoint({}, router.clock, stream=False)
    first = router.start(Request(("hello",)), endpoint)._machine
    assert not any(isinstance(effect, Launch) for effect in first.feed(Began(0.0)))
    for _ in range(3):
        place = router.queue.place("interactive")
        assert place is not None
        router.queue.stand(place, ["b"], 9.0)
    (launch, *_) = first.feed(AlarmRang(1.0))
    assert isinstance(launch, Launch)
    assert launch.candidate.id == "b"
    assert len(router.queue) == 3
