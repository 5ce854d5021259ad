"""The line before models that are full."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import ConfigError, Request, RouterBusy, routing
from capability_router.clock import ManualClock, SystemClock
from capability_router.execution.line import Line
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router


def test_first_come_first_served_and_interactive_before_batch() -> None:
    line = Line()
    batch, first, second = line.place("batch"), line.place("interactive"), line.place("interactive")
    for place in (batch, first, second):
        line.stand(place, ["a", "b"], until=1.0)
    assert [line.ahead("a", place, "batch", 0.0) for place in (first, second, batch)] == [0, 1, 2]
    assert line.ahead("a", None, "interactive", 0.0) == 2  # a newcomer goes before the batch
    assert line.ahead("a", None, "batch", 0.0) == 3
    assert line.ahead("c", None, "batch", 0.0) == 0
    line.leave(first)
    assert [line.ahead("b", place, "batch", 0.0) for place in (second, batch)] == [0, 1]


def test_it_is_bounded_and_forgets_who_went_away() -> None:
    line = Line(2)
    gone, here = line.place("interactive"), line.place("interactive")
    line.stand(gone, ["a"], until=1.0)
    line.stand(here, ["a"], until=9.0)
    assert line.place("interactive") is None
    assert line.ahead("a", here, "interactive", 2.9) == 1
    assert line.ahead("a", here, "interactive", 3.1) == 0  # two seconds late: it will not come
    assert len(line) == 1
    line.leave(gone)  # it does come, after all, and leaves
    line.leave(here)
    assert (len(line), repr(line)) == (0, "<Line 0 of 2 places taken>")


def busy(**settings: Any) -> tuple[Router, dict[str, GatedModel]]:
    """One model with one slot, and a first request in it."""
    models = {"a": GatedModel(("", "a"), shut=(1,))}
    cards = {"a": {"limits": {"concurrency": 1}}}
    return scripted_router({"a": ["ok"]}, cards=cards, clock=SystemClock(), **settings), models


async def asked(router: Router, models: dict[str, GatedModel], order: list[str], name: str, **terms: Any) -> None:
    with routing(**terms):
        run = router.start(Request((name,), stream=True), GatedEndpoint(models, stream=True))
    async for _ in run:
        if name not in order:
            order.append(name)


async def _waiting(router: Router, count: int) -> None:
    while len(router.line) < count:  # noqa: ASYNC110 - the line knows no event
        await asyncio.sleep(0.001)


async def test_who_waits_is_served_in_order_of_priority_and_arrival() -> None:
    router, models = busy()
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    names = [("b1", "batch"), ("i1", "interactive"), ("b2", "batch"), ("i2", "interactive")]
    for i, (name, priority) in enumerate(names, 1):
        tasks.append(asyncio.create_task(asked(router, models, order, name, priority=priority)))
        await _waiting(router, i)
    models["a"].open()
    await asyncio.gather(*tasks)
    assert order == ["zero", "i1", "i2", "b1", "b2"]
    assert len(router.line) == 0
    assert_books_balanced(router)


async def test_a_full_line_refuses_at_once() -> None:
    router, models = busy(retry={"max_waiting": 1})
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    tasks.append(asyncio.create_task(asked(router, models, order, "one")))
    await _waiting(router, 1)
    with pytest.raises(RouterBusy, match="the line is full, 1 request waits"):
        await asked(router, models, order, "two")
    models["a"].open()
    await asyncio.gather(*tasks)
    assert_books_balanced(router)


async def test_a_line_full_of_batch_makes_room_for_interactive_requests() -> None:
    router, models = busy(retry={"max_waiting": 2})
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    for count in (1, 2):
        tasks.append(asyncio.create_task(asked(router, models, order, f"b{count}", priority="batch")))
        await _waiting(router, count)
    interactive = asyncio.create_task(asked(router, models, order, "i"))
    with pytest.raises(RouterBusy, match="its place went to a request of higher priority; 2 wait"):
        await tasks.pop()
    with pytest.raises(RouterBusy, match="the line is full, 2 requests wait"):
        await asked(router, models, order, "b3", priority="batch")
    models["a"].open()
    await asyncio.gather(*tasks, interactive)
    assert order == ["zero", "i", "b1"]
    assert_books_balanced(router)


def test_a_turn_that_comes_too_late_is_not_waited_for() -> None:
    """Calls last 40 s here, as far as is known: a request that has 5 s is told at once."""
    clock = ManualClock()
    cards = {"a": {"limits": {"concurrency": 1}, "latency": {"ttft_s": 40.0}}}
    router = scripted_router({"a": ["ok"]}, cards=cards, clock=clock)
    held = iter(router.start(Request(("hi",), stream=True), ScriptedEndpoint(router.scripted, clock, stream=True)))  # type: ignore[attr-defined]  # set by scripted_router
    next(held)
    with routing(deadline_s=5.0):
        request = Request(("hi",))
    with pytest.raises(RouterBusy, match="full: 1 call in flight"):
        list(router.start(request, ScriptedEndpoint(router.scripted, clock)))  # type: ignore[attr-defined]  # as above
    assert clock.now() == 0.0
    list(held)
    assert_books_balanced(router)


async def test_who_goes_away_leaves_the_line() -> None:
    router, models = busy()
    order: list[str] = []
    first = asyncio.create_task(asked(router, models, order, "zero"))
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    waiting = asyncio.create_task(asked(router, models, order, "one"))
    await _waiting(router, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(router.line) == 0
    models["a"].open()
    await first
    assert_books_balanced(router)


def test_a_priority_is_one_of_two() -> None:
    with pytest.raises(ConfigError, match="interactive or batch"), routing(priority="urgent"):
        pass
