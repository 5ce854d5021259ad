"""A caller that is itself short of processor time is no reason to send a model fewer calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from capability_router.address import Address
from capability_router.clock import ManualClock, SystemClock
from capability_router.health.board import HealthBoard
from capability_router.health.permit import Permit, Verdict
from capability_router.request import Finish, Reply, Request, Usage
from capability_router.testing import scripted_router


class Working:
    """A model that answers after 5 ms, and whose answer takes its caller some milliseconds of work to read."""

    keeps_time = False

    def __init__(self, work_s: float) -> None:
        self._work_s = work_s

    def abort(self) -> None:
        """It holds nothing."""

    async def achunks(self) -> AsyncIterator[str]:
        await asyncio.sleep(0.005)
        until = time.thread_time() + self._work_s
        while time.thread_time() < until:
            pass
        yield "text"

    def chunks(self) -> Iterator[str]:
        raise AssertionError("only awaited")

    def commits(self, chunk: str) -> bool:
        return True

    def reply(self) -> Reply:
        return Reply(Usage(10, 1), Finish.STOP, "text")


class Endpoint:
    def __init__(self, *, busy: bool) -> None:
        self.busy = busy

    def start(self, launch: Any) -> Working:
        return Working(0.02 if self.busy else 0.0)

    def fault(self, error: BaseException) -> None:
        return None


class Own(SystemClock):
    """The processor is all ours: on a busy machine others take their part of the wait."""

    worked = staticmethod(time.monotonic)


async def test_a_busy_event_loop_is_not_taken_for_a_busy_provider() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=Own(), policy="single")

    async def ask(*, busy: bool = False) -> None:
        async for _ in router.start(Request(("hi",), stream=True), Endpoint(busy=busy)):
            pass

    for _ in range(60):
        await ask()
    await asyncio.gather(*(ask(busy=True) for _ in range(60)))
    row = router.health()[0]
    assert (row["concurrency_limit"], row["calls"]) == (None, 120)


async def test_nor_is_one_that_waits_for_something_else() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single")

    async def ask() -> None:
        async for _ in router.start(Request(("hi",), stream=True), Endpoint(busy=False)):
            pass

    for _ in range(60):
        await ask()
    for _ in range(3):
        asked = [asyncio.create_task(ask()) for _ in range(12)]
        await asyncio.sleep(0.001)
        time.sleep(0.4)  # noqa: ASYNC251 - a blocking call of the application, which uses no processor time
        await asyncio.gather(*asked)
    row = router.health()[0]
    assert (row["concurrency_limit"], row["calls"]) == (None, 96)


class Late:
    """A board whose calls get their first tokens ten times as late as before, all of a sudden."""

    def __init__(self, own_share: float) -> None:
        self.now = self.worked = 0.0
        self.own_share = own_share
        self.board = HealthBoard(seed=1, worked=lambda: self.worked)
        self.board.register("a", Address("https://a.example/v1", "k", "a"))

    @property
    def limit(self) -> int | None:
        return self.board.snapshot(self.now)[0]["concurrency_limit"]

    def take(self) -> Permit:
        permit = self.board.admit("a", self.now)
        assert isinstance(permit, Permit)
        return permit

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.worked += seconds * self.own_share

    def calls(self, rounds: int, at_once: int, ttft_s: float) -> None:
        for _ in range(rounds):
            permits = [self.take() for _ in range(at_once if self.limit is None else self.limit)]
            self.pass_by(ttft_s)
            for permit in permits:
                self.board.settle(permit, Verdict(True, ttft_s=ttft_s, elapsed_s=ttft_s), self.now)


@pytest.mark.parametrize(("own_share", "learned"), [(0.0, True), (0.2, True), (0.4, False), (1.8, False)])
def test_waits_in_which_this_process_was_busy_are_not_held_against_the_model(own_share, learned):
    late = Late(0.0)
    late.calls(80, 1, 0.1)
    late.own_share = own_share
    late.calls(3, 20, 1.0)
    assert (late.limit is not None) is learned


class Slow:
    """A model whose first text comes after so many seconds of a clock that is set by hand."""

    keeps_time = True

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def start(self, launch: Any) -> Slow:
        return self

    def fault(self, error: BaseException) -> None:
        return None

    def abort(self) -> None:
        """It holds nothing."""

    def chunks(self) -> Iterator[str]:
        self._clock.advance(self._seconds)
        yield "text"

    def commits(self, chunk: str) -> bool:
        return True

    def reply(self) -> Reply:
        return Reply(Usage(10, 1), Finish.STOP, "text")


@pytest.mark.parametrize("stream", [True, False])
def test_how_long_a_whole_reply_takes_is_no_wait_for_a_first_token(stream: bool) -> None:
    clock = ManualClock()
    router = scripted_router({"a": ["ok"]}, clock=clock, policy="single")
    for _ in range(9):  # beside which the others are under way
        router.board.admit("a", clock.now())
    for seconds, streamed in [(0.5, True)] * 60 + [(5.0, stream)] * 20:
        list(router.start(Request(("hi",), stream=streamed), Slow(clock, seconds)))
    assert (router.health()[0]["concurrency_limit"] is not None) is stream
