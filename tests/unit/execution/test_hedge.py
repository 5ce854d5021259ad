"""A silent attempt gets a second one beside it: sync in threads, async in tasks, by one machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import AllCandidatesFailed, Request, StreamInterrupted
from capability_router.address import Address
from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.execution.hedge import Hedging
from capability_router.execution.run import Run
from capability_router.faults.kinds import Fault
from capability_router.money.price import Price
from capability_router.router import Router
from capability_router.testing import assert_books_balanced

OVERLOADED = Fault("overloaded")
Play = Callable[..., tuple[str, Run[str]]]


def router_of(models: dict[str, GatedModel], *, hosts: dict[str, str] | None = None, **settings: Any) -> Router:
    cards = [ModelCard(id=id, provider="p", model=id, price=Price(input_mtok=1, output_mtok=2)) for id in models]
    entries = [Entry(card, None, Address((hosts or {}).get(card.id, f"at:{card.id}"), card.id)) for card in cards]
    hedge = {"on": True, "after_s": 0.005, "extra": 1.0}
    return Router(Registry(entries), **{"policy": "single", "hedge": hedge, **settings})


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Carry a request out; gives the text and the run. All gates are opened at the end."""
    played: list[GatedModel] = []

    def play(router: Router, models: dict[str, GatedModel], *, stream: bool = True) -> tuple[str, Run[str]]:
        played.extend(models.values())
        run = router.start(Request(("hi",), stream=stream), GatedEndpoint(models, stream=stream))
        if request.param == "sync":
            return "".join(run), run

        async def collected() -> str:
            return "".join([chunk async for chunk in run])

        return asyncio.run(collected()), run

    yield play
    for model in played:
        model.open()


def told(run: Run[str]) -> list[tuple[int, str, str | None]]:
    assert run.outcome is not None
    return [(a.index, a.model, a.fault) for a in run.outcome.attempts]


@pytest.mark.parametrize("stream", [True, False])
def test_the_second_answers_while_the_first_is_silent(play: Play, stream: bool) -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b1", "b2"))}
    router = router_of(models)
    text, run = play(router, models, stream=stream)
    assert text == "b1b2"
    assert told(run) == [(1, "a", "cancelled"), (2, "b", None)]
    assert run.outcome.reason.startswith("hedge: a was silent for 0.0")
    assert run.outcome.attempts[0].detail == "cancelled: attempt 2 was faster"
    assert (models["a"].aborted, models["b"].aborted) == (1, 0)
    assert_books_balanced(router)


def test_the_first_may_still_win(play: Play) -> None:
    first = GatedModel(("", "a"), shut=(1,))
    models = {"a": first, "b": GatedModel(("", "b"), shut=(0,), opens=first)}
    router = router_of(models)
    text, run = play(router, models)
    assert text == "a"
    assert told(run) == [(1, "a", None), (2, "b", "cancelled")]
    assert run.outcome.reason == router.explain(Request(("hi",))).reason  # as planned
    assert_books_balanced(router)


def test_a_hedge_that_fails_leaves_the_first_to_go_on(play: Play) -> None:
    first = GatedModel(("", "a"), shut=(1,))
    models = {"a": first, "b": GatedModel((OVERLOADED,)), "c": GatedModel(("", "c"))}
    router = router_of(models)
    threading.Timer(0.2, first.open).start()
    text, run = play(router, models)
    assert text == "a"
    assert told(run) == [(1, "a", None), (2, "b", "overloaded")]
    assert_books_balanced(router)


def test_both_failing_go_on_to_a_third(play: Play) -> None:
    first = GatedModel((OVERLOADED,), shut=(0,))
    models = {"a": first, "b": GatedModel((OVERLOADED,), opens=first), "c": GatedModel(("", "c"))}
    router = router_of(models)
    text, run = play(router, models)
    assert text == "c"
    assert {(model, fault) for _, model, fault in told(run)} == {("a", "overloaded"), ("b", "overloaded"), ("c", None)}
    assert_books_balanced(router)


def test_never_to_what_fails_together_with_it(play: Play) -> None:
    models = {"a": GatedModel(("", "a")), "b": GatedModel(("", "b"))}
    router = router_of(models, hosts={"a": "same", "b": "same"}, timeouts={"first_token": 0.05})
    models["a"] = GatedModel(("", "a"), shut=(0,))
    text, run = play(router, models)
    assert text == "b"
    assert told(run) == [(1, "a", "timeout"), (2, "b", None)]  # a fallback after the clock, no hedge


def test_hedges_are_a_share_of_the_requests(play: Play) -> None:
    models = {"a": GatedModel(("", "a")), "b": GatedModel(("", "b"))}
    router = router_of(models, hedge={"on": True, "after_s": 0.003, "extra": 0.25}, timeouts={"first_token": 0.15})
    hedged = 0
    for _ in range(8):
        slow = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b"))}
        router.board.reset("a")
        _, run = play(router, slow)
        hedged += run.outcome.reason.startswith("hedge")
    assert hedged == 2
    assert_books_balanced(router)


def test_a_programming_error_of_one_ends_both(play: Play) -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel((KeyError("mine"),))}
    router = router_of(models)
    with pytest.raises(KeyError, match="mine"):
        play(router, models)
    assert_books_balanced(router)


def test_a_bad_request_of_the_second_leaves_the_first_to_go_on(play: Play) -> None:
    first = GatedModel(("", "a"), shut=(1,))
    models = {"a": first, "b": GatedModel((Fault("bad_request"),)), "c": GatedModel(("", "c"))}
    router = router_of(models)
    threading.Timer(0.2, first.open).start()
    text, run = play(router, models)
    assert text == "a"
    assert told(run) == [(1, "a", None), (2, "b", "bad_request")]
    assert_books_balanced(router)


def test_a_bad_request_and_a_failure_end_it_without_a_third(play: Play) -> None:
    first = GatedModel((OVERLOADED,), shut=(0,))
    models = {"a": first, "b": GatedModel((Fault("bad_request"),), opens=first), "c": GatedModel(("", "c"))}
    router = router_of(models)
    with pytest.raises(AllCandidatesFailed, match="Fix the request"):
        play(router, models)
    assert models["c"].calls == 0
    assert_books_balanced(router)


def test_no_second_attempt_once_the_answer_is_being_given(play: Play) -> None:
    models = {"a": GatedModel(("", "a1", Fault("connection"))), "b": GatedModel(("", "b"))}
    router = router_of(models, hedge={"on": True, "after_s": 30, "extra": 1.0})
    with pytest.raises(StreamInterrupted) as caught:
        play(router, models)
    assert caught.value.partial == "a1"
    assert models["b"].calls == 0


def test_nobody_is_left_behind_by_a_caller_who_goes_away() -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b1", "b2"), shut=(2,))}
    router = router_of(models)
    chunks = iter(router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True)))
    assert next(chunks) == ""
    assert next(chunks) == "b1"
    chunks.close()
    assert_books_balanced(router)
    for model in models.values():
        model.open()


async def test_a_cancelled_task_closes_both() -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b"), shut=(0,))}
    router = router_of(models)
    run = router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True))

    async def read() -> list[str]:
        return [chunk async for chunk in run]

    task = asyncio.create_task(read())
    while models["b"].calls == 0:  # noqa: ASYNC110 - the model knows no event
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (models["a"].closed, models["b"].closed) == (1, 1)
    assert told(run) == [(1, "a", "cancelled"), (2, "b", "cancelled")]
    assert_books_balanced(router)


def test_by_default_what_is_usual_for_the_model_and_the_input_says_when() -> None:
    known: dict[tuple[str, int, bool], float | None] = {("a", 10, False): 0.8, ("a", 10, True): 5.0, ("a", 0, True): 0}
    hedging = Hedging(None, 0.05, lambda id, tokens, *, whole: known.get((id, tokens, whole)))
    assert [hedging.delay_s("a", 10, whole=whole) for whole in (False, True)] == [0.8, 5.0]
    assert hedging.delay_s("a", 0, whole=True) == 0.001
    assert hedging.delay_s("b", 10, whole=False) is None
    stated = Hedging(0.25, 0.05, lambda id, tokens, *, whole: None)
    assert stated.delay_s("b", 10, whole=True) == 0.25
    assert not hedging.budget.spend()
    for _ in range(20):
        hedging.budget.earn()
    assert (hedging.budget.spend(), hedging.budget.spend()) == (True, False)
