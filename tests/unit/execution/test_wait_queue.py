"""The queue before models that are full."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel
from unit.execution.staged import Stage, told

from capability_router import ConfigError, Request, RouterBusy, routing
from capability_router.clock import ManualClock, SystemClock
from capability_router.concurrency.wakeup import Wakeup
from capability_router.execution.wait_queue import QueuePosition, WaitQueue
from capability_router.faults.kinds import Fault
from capability_router.health.permit import UNSENT, Permit, Verdict
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router


def test_first_come_first_served_and_interactive_before_batch() -> None:
    queue = WaitQueue()
    batch, first, second = queue.place("batch"), queue.place("interactive"), queue.place("interactive")
    for place in (batch, first, second):
        queue.stand(place, ["a", "b"], until=1.0)
    assert [queue.ahead("a", place, "batch", 0.0) for place in (first, second, batch)] == [0, 1, 2]
    assert queue.ahead("a", None, "interactive", 0.0) == 2  # a newcomer goes before the batch
    assert queue.ahead("a", None, "batch", 0.0) == 3
    assert queue.ahead("c", None, "batch", 0.0) == 0
    queue.leave(first)
    assert [queue.ahead("b", place, "batch", 0.0) for place in (second, batch)] == [0, 1]


def test_those_before_one_have_their_tokens() -> None:
    queue = WaitQueue()

    def before(model: str, place: QueuePosition | None) -> tuple[int, int]:
        ahead = queue.before(model, place, "batch", 0.0)
        return ahead.calls, ahead.tokens

    batch, first, second = queue.place("batch"), queue.place("interactive"), queue.place("interactive")
    for place, tokens in ((batch, 1), (first, 20), (second, 300)):
        queue.stand(place, ["a"], 1.0, tokens)
    assert [before("a", place) for place in (first, second, batch)] == [(0, 0), (1, 20), (2, 320)]
    assert before("a", None) == (3, 321)
    assert before("b", None) == (0, 0)
    queue.stand(first, ["a"], 2.0, 50)  # it has grown
    queue.leave(second)
    assert before("a", batch) == (1, 50)
    late = queue.before("a", batch, "batch", 0.0)
    for place in (first, batch):
        queue.leave(place)
    assert len(queue) == 0
    assert (late.calls, late.tokens) == (1, 0)  # they have gone between the two


def test_it_is_bounded_and_forgets_who_went_away() -> None:
    queue = WaitQueue(2)
    gone, here = queue.place("interactive"), queue.place("interactive")
    queue.stand(gone, ["a"], until=1.0)
    queue.stand(here, ["a"], until=9.0)
    assert queue.stand(queue.place("interactive"), ["a"], until=9.0) is None
    assert queue.ahead("a", here, "interactive", 2.9) == 1
    assert queue.ahead("a", here, "interactive", 3.1) == 0  # two seconds late: it will not come
    assert len(queue) == 1
    queue.leave(gone)  # it does come, after all, and leaves
    queue.leave(here)
    assert (len(queue), repr(queue)) == (0, "<WaitQueue 0 of 2 places taken>")


def test_the_end_of_a_call_is_told_to_the_first_who_was_not_told() -> None:
    queue = WaitQueue()
    batch, first, other = queue.place("batch"), queue.place("interactive"), queue.place("interactive")
    told = [queue.stand(place, names, until=1.0) for place, names in ((batch, "a"), (first, "ab"), (other, "b"))]
    queue.freed("c")
    assert not any(wakeup.told for wakeup in told)
    queue.freed("a")
    assert [wakeup.told for wakeup in told] == [False, True, False]
    queue.freed("b")  # the first has been told, and will look at both
    assert [wakeup.told for wakeup in told] == [False, True, True]
    queue.freed("a")
    queue.freed("a")  # nobody is left to be told
    assert all(wakeup.told for wakeup in told)
    assert not queue.stand(first, "ab", until=2.0).told  # it found nothing, and stands again


def test_who_stands_after_others_have_gone_away_is_not_forgotten_with_them() -> None:
    queue = WaitQueue()
    gone, late, here = queue.place("interactive"), queue.place("interactive"), queue.place("interactive")
    for place, until in ((gone, 1.0), (late, 1.5), (here, 9.0)):
        queue.stand(place, ["a"], until=until)
    assert queue.ahead("a", late, "interactive", 4.0) == 0  # late itself, but here
    assert queue.ahead("a", here, "interactive", 4.1) == 0  # it did not take its place, and has not stood again
    queue.stand(late, ["a"], until=5.0)
    assert queue.ahead("a", here, "interactive", 4.5) == 1
    assert len(queue) == 2


def test_however_many_join_at_once_no_more_stand_than_may() -> None:
    queue = WaitQueue(2)
    places = [queue.place("batch") for _ in range(5)]  # each in a thread of its own, before any of them stands
    assert [queue.stand(place, ["a"], until=9.0) is not None for place in places] == [True, True, False, False, False]
    first, second, third = (queue.place("interactive") for _ in range(3))
    assert [queue.stand(place, ["a"], until=9.0) is not None for place in (first, second, third)] == [True, True, False]
    assert len(queue) == 2


def test_who_is_replaced_is_woken_at_once() -> None:
    queue = WaitQueue(2)
    first, second, other = queue.place("batch"), queue.place("batch"), queue.place("interactive")
    told = [queue.stand(place, ["a"], until=60.0) for place in (first, second, other)]
    assert [wakeup is not None and wakeup.told for wakeup in told] == [False, True, False]
    assert queue.stand(second, ["a"], until=60.0) is None
    assert queue.stand(first, ["b"], until=60.0) is not None  # who stands in it may wait for another model
    assert [queue.ahead(model, None, "batch", 0.0) for model in "ab"] == [1, 1]


class Patient(SystemClock):
    """Who stands in the queue waits for the wakeup, whatever the time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bool] = []

    def stand(self, wakeup: Wakeup, seconds: float) -> None:
        wakeup.wait(30.0)
        self.told.append(wakeup.told)

    async def astand(self, wakeup: Wakeup, seconds: float) -> None:
        await wakeup.await_(30.0)
        self.told.append(wakeup.told)


@pytest.mark.parametrize("first", [("", "a"), (Fault("bad_request"),)])
async def test_who_waits_hears_of_the_end_of_a_call(first: tuple[Any, ...]) -> None:
    clock = Patient()
    models = {"a": GatedModel(first, shut=(len(first) - 1,))}
    router = scripted_router({"a": ["ok"]}, cards={"a": {"limits": {"concurrency": 1}}}, clock=clock)
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    for count in (1, 2):
        tasks.append(asyncio.create_task(asked(router, models, order, f"{count}")))
        await _waiting(router, count)
    models["a"].open()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert clock.told == [True, True]
    assert_books_balanced(router)


def test_who_waits_in_a_thread_hears_of_it_too() -> None:
    clock, model = Patient(), GatedModel(("", "a"), shut=(1,))
    router = scripted_router({"a": ["ok"]}, cards={"a": {"limits": {"concurrency": 1}}}, clock=clock)

    def ask() -> None:
        list(router.start(Request(("hi",), stream=True), GatedEndpoint({"a": model}, stream=True)))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(router.queue) < 2:
        time.sleep(0.001)
    model.open()
    for thread in threads:
        thread.join(30)
    assert clock.told == [True, True]
    assert_books_balanced(router)


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
    while len(router.queue) < count:  # noqa: ASYNC110 - the queue knows no event
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
    assert len(router.queue) == 0
    assert_books_balanced(router)


async def test_a_full_queue_refuses_at_once() -> None:
    router, models = busy(retry={"max_waiting": 1})
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    tasks.append(asyncio.create_task(asked(router, models, order, "one")))
    await _waiting(router, 1)
    with pytest.raises(RouterBusy, match="the queue is full, 1 request waits"):
        await asked(router, models, order, "two")
    models["a"].open()
    await asyncio.gather(*tasks)
    assert_books_balanced(router)


async def test_a_queue_full_of_batch_makes_room_for_interactive_requests() -> None:
    router, models = busy(retry={"max_waiting": 2})
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    for count in (1, 2):
        tasks.append(asyncio.create_task(asked(router, models, order, f"b{count}", priority="batch")))
        await _waiting(router, count)
    interactive = asyncio.create_task(asked(router, models, order, "i"))
    with pytest.raises(RouterBusy, match=r"2 waiting.*an interactive request took its place"):
        await tasks.pop()
    with pytest.raises(RouterBusy, match="the queue is full, 2 requests wait"):
        await asked(router, models, order, "b3", priority="batch")
    models["a"].open()
    await asyncio.gather(*tasks, interactive)
    assert order == ["zero", "i", "b1"]
    assert_books_balanced(router)


@pytest.mark.parametrize("opens", ["reset", "answered"])
def test_who_waits_for_the_end_of_a_rate_limit_is_woken_when_it_is_open_before(opens: str) -> None:
    """It would sleep until then, and those that come later would go before it."""
    first = Stage("a", retry={"max_wait_s": 60, "attempts": 1})
    first.begin()
    first.faulted(101.0, fault=Fault("rate_limited", retry_after_s=20.0))
    waits = first.again()
    assert told(waits.begin(101.5)) == [("alarm", 121.0)]
    if opens == "reset":
        first.router.reset("a")
    else:
        board = first.router.board
        forced = board.force("a", 102.0)
        assert isinstance(forced, Permit)
        board.settle(forced, Verdict(True), 102.5)
    assert waits.machine.wakeup.told
    assert told(waits.rang(103.0)) == [("launch", 1, "a", ""), ("alarm", None)]


def test_who_can_not_wait_for_its_turn_takes_no_place() -> None:
    """Calls last 40 s here: an interactive request that has 5 s is refused, and the batch request keeps its place."""
    cards = {"a": {"limits": {"concurrency": 1}, "latency": {"ttft_s": 40.0}}}
    batch = Stage("a", card_a=cards["a"], retry={"max_waiting": 1, "max_wait_s": 90.0}, stream=False)
    held = batch.router.board.admit("a", 100.0)
    assert isinstance(held, Permit)
    with routing(priority="batch"):
        batch = batch.again()
    with routing(deadline_s=5.0):
        urgent = batch.again()
    assert told(batch.begin()) == [("alarm", 100.1)]
    assert told(urgent.begin()) == [("finish", None)]
    assert len(batch.router.queue) == 1
    batch.router.board.settle(held, UNSENT, 100.05)
    assert told(batch.rang(100.1)) == [("launch", 1, "a", ""), ("alarm", None)]


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


def test_who_comes_while_nothing_is_known_of_how_long_calls_last_is_refused_at_its_deadline() -> None:
    """A guess of 1 s for each who stands before would refuse all but the first at once."""
    clock = ManualClock()
    router = scripted_router({"a": ["ok"]}, cards={"a": {"limits": {"concurrency": 1}}}, clock=clock)
    held = iter(router.start(Request(("hi",), stream=True), ScriptedEndpoint(router.scripted, clock, stream=True)))  # type: ignore[attr-defined]  # set by scripted_router
    next(held)
    with routing(deadline_s=0.5):
        request = Request(("hi",))
    with pytest.raises(RouterBusy, match=r"the deadline of 0.5 s is over \(a: full: 1 call in flight"):
        list(router.start(request, ScriptedEndpoint(router.scripted, clock)))  # type: ignore[attr-defined]  # as above
    assert clock.now() == pytest.approx(0.5)
    list(held)
    assert_books_balanced(router)


async def test_many_wait_for_a_model_of_which_nothing_is_known() -> None:
    router, models = busy(deadline_s=1.5)
    order: list[str] = []
    tasks = [asyncio.create_task(asked(router, models, order, "zero"))]
    while models["a"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(asked(router, models, order, str(i))) for i in range(1, 5)]
    await _waiting(router, 4)
    models["a"].open()
    await asyncio.gather(*tasks)
    assert order == ["zero", "1", "2", "3", "4"]
    assert_books_balanced(router)


async def test_who_goes_away_leaves_the_queue() -> None:
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
    assert len(router.queue) == 0
    models["a"].open()
    await first
    assert_books_balanced(router)


def test_a_priority_is_one_of_two() -> None:
    with pytest.raises(ConfigError, match="interactive or batch"), routing(priority="urgent"):
        pass
