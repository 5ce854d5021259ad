"""Who is cancelled before a model was asked pays nothing; where one may be at work, its input is booked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from unit.execution.gated import GatedAttempt, GatedEndpoint, GatedModel

from capability_router import Request
from capability_router.clock import SystemClock
from capability_router.execution.effects import Launch
from capability_router.execution.run import Run
from capability_router.faults.kinds import Fault
from capability_router.router import Router
from capability_router.testing import assert_books_balanced, scripted_router

SETTINGS: list[dict[str, Any]] = [{}, {"hedge": {"after_s": 60}}, {"timeouts": {"total": 60}}]


def booked(router: Router, run: Run[str]) -> tuple[int, bool, list[str | None]]:
    """The picodollars of the request, whether its tokens are an estimate, and what became of its attempts."""
    assert_books_balanced(router)
    assert run.outcome is not None
    (call,) = router.ledger.calls()
    assert call.cost_pico == run.outcome.cost_pico
    return call.cost_pico or 0, call.usage.estimated, [attempt.fault for attempt in run.outcome.attempts]


def begun(settings: dict[str, Any], endpoint: Any) -> tuple[Router, Run[str]]:
    cards = {"a": {"limits": {"rpm": 1}}}
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), budgets=BUDGETS, cards=cards, **settings)
    return router, router.start(Request(("what a long question " * 20,), stream=True), endpoint)


def spent(router: Router) -> bool:
    """Whether the one request that the first model takes per minute is used up."""
    return router.board.condition("a", router.clock.now()).held != ""


BUDGETS = [{"scope": "global", "limit_usd": 1.0, "window": "day"}]


class Interrupted(GatedEndpoint):
    """Ctrl-C comes while its attempt is made."""

    def start(self, launch: Launch) -> GatedAttempt:
        raise KeyboardInterrupt


class Cancelling(GatedEndpoint):
    """Its caller goes away while its attempt is made, and is heard of at the next await."""

    cancels: Callable[[], object]

    def start(self, launch: Launch) -> GatedAttempt:
        self.cancels()
        return super().start(launch)


class InterruptedThere(GatedAttempt):
    """Ctrl-C comes when its model is asked."""

    def chunks(self) -> Iterator[str]:
        raise KeyboardInterrupt
        yield ""


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_interrupt_before_anything_was_sent(settings: dict[str, Any]) -> None:
    router, run = begun(settings, Interrupted({"a": GatedModel("a")}, stream=True))
    with pytest.raises(KeyboardInterrupt):
        list(run)
    assert booked(router, run) == (0, False, ["cancelled"])
    assert not spent(router)


@pytest.mark.parametrize("settings", [SETTINGS[0], SETTINGS[2]], ids=str)  # a hedged one is asked before it is heard
def test_a_cancellation_in_the_turn_before_anything_was_sent(settings: dict[str, Any]) -> None:
    model = GatedModel("a")
    endpoint = Cancelling({"a": model}, stream=True)
    router, run = begun(settings, endpoint)

    async def main() -> None:
        task = asyncio.create_task(_read(run))
        endpoint.cancels = task.cancel
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert model.calls == 0
    assert booked(router, run) == (0, False, ["cancelled"])
    assert not spent(router)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_may_have_been_sent_is_booked(settings: dict[str, Any]) -> None:
    endpoint = GatedEndpoint({"a": GatedModel("a", shut=(0,))}, stream=True)
    router, run = begun(settings, endpoint)

    async def main() -> None:
        task = asyncio.create_task(_read(run))
        while not endpoint.models["a"].calls:  # noqa: ASYNC110 - it is counted in any thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    cost, estimated, faults = booked(router, run)
    assert (cost > 0, estimated, faults) == (True, True, ["cancelled"])
    assert spent(router)


def test_an_interrupt_of_what_may_have_been_sent_is_booked() -> None:
    endpoint = GatedEndpoint({"a": GatedModel("a")}, stream=True)
    endpoint.start = lambda launch: InterruptedThere(endpoint.models["a"], stream=True)  # type: ignore[method-assign]
    router, run = begun({}, endpoint)
    with pytest.raises(KeyboardInterrupt):
        list(run)
    cost, estimated, faults = booked(router, run)
    assert (cost > 0, estimated, faults) == (True, True, ["cancelled"])
    assert spent(router)


async def _read(run: Run[str]) -> None:
    async for _ in run:
        pass


@pytest.mark.parametrize(("refused", "left"), [(Fault("connection", sent=False), True), (Fault("connection"), False)])
def test_a_refused_connection_takes_nothing_of_the_limits_per_minute(refused: Fault, left: bool) -> None:
    endpoint = GatedEndpoint({"a": GatedModel((refused,)), "b": GatedModel(("", "b"))}, stream=True)
    router, run = begun({}, endpoint)
    assert "".join(run) == "b"
    assert spent(router) is not left
    assert_books_balanced(router)
