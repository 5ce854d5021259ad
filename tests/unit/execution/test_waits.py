"""How the async driver waits for a chunk: with a timer where it has to wait, without one where the chunk is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import Request
from capability_router.clock import SystemClock
from capability_router.execution.run import Run
from capability_router.request import Reply
from capability_router.testing import assert_books_balanced, scripted_router

CLOCKS = {"first_token": 20, "between_tokens": 20, "total": 20}
WORDS = tuple(f"word {i} " for i in range(50))


class Timers:
    """Counts the timers that a loop is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self._set = 0, loop.call_at
        monkeypatch.setattr(loop, "call_at", self._call_at)

    def _call_at(self, *given: Any, **options: Any) -> asyncio.TimerHandle:
        self.count += 1
        return self._set(*given, **options)


def started(model: GatedModel) -> tuple[Run[str], Callable[[], None]]:
    router = scripted_router({"a": ["ok"]}, clock=SystemClock(), timeouts=CLOCKS)
    run = router.start(Request(("hi",), stream=True), GatedEndpoint({"a": model}, stream=True))
    return run, lambda: assert_books_balanced(router)


def test_a_burst_of_chunks_sets_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    run, check = started(GatedModel(WORDS))

    async def read() -> int:
        timers = Timers(asyncio.get_running_loop(), monkeypatch)
        assert [chunk async for chunk in run] == list(WORDS)
        return timers.count

    assert asyncio.run(read()) == 0
    check()


def test_all_that_are_waited_for_until_one_moment_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = GatedModel(WORDS, shut=(0, 7, 30))
    run, check = started(model)

    async def read() -> int:
        timers = Timers(asyncio.get_running_loop(), monkeypatch)
        for gate in model.gates.values():
            monkeypatch.setattr(gate, "is_set", _opened_late(gate.is_set, gate.set))
        assert [chunk async for chunk in run] == list(WORDS)
        return timers.count

    assert asyncio.run(read()) == 1 + 3  # the driver's, and those of the model's own sleeps
    check()


def _opened_late(is_set: Callable[[], bool], opens: Callable[[], None]) -> Callable[[], bool]:
    """Shut when it is first asked, open from then on."""

    def ask() -> bool:
        found = is_set()
        opens()
        return found

    return ask


class Patient:
    """An endpoint whose one attempt waits for ever, and notes what reaches it there."""

    keeps_time = False

    def __init__(self) -> None:
        self.reached: list[type[BaseException]] = []
        self.waits = asyncio.Event()

    def start(self, launch: Any) -> Any:
        return self

    async def achunks(self) -> AsyncIterator[str]:
        try:
            self.waits.set()
            await asyncio.get_running_loop().create_future()
        except BaseException as error:
            self.reached.append(type(error))
            raise
        yield "never"

    def abort(self) -> None:
        pass

    def commits(self, chunk: str) -> bool:
        return bool(chunk)

    def reply(self) -> Reply:
        return Reply()

    def fault(self, error: BaseException) -> None:
        return None


def test_a_cancellation_reaches_an_attempt_in_its_first_wait() -> None:
    async def cancelled() -> list[type[BaseException]]:
        router = scripted_router({"a": ["ok"]}, clock=SystemClock(), timeouts=CLOCKS)
        endpoint = Patient()
        run: Run[str] = router.start(Request(("hi",), stream=True), endpoint)

        async def read() -> list[str]:
            return [chunk async for chunk in run]

        task = asyncio.create_task(read())
        await endpoint.waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_books_balanced(router)
        return endpoint.reached

    assert asyncio.run(cancelled()) == [asyncio.CancelledError]
