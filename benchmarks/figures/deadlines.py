"""Figure 5, deadlines kept: real asyncio calls over models that stall in every way, on the system's clock.

Beside each call runs a bare timer of the event loop, due at the same moment. Where these come late, the machine is
busy with something else, and the wall clock says nothing of the router: then what counts is the processor time that
passes from a timer to its call's return, and that half of the calls return in time by the wall clock.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

from capability_router.clock import SystemClock
from capability_router.errors import AllCandidatesFailed
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.request import Reply, Request
from capability_router.router import Router
from capability_router.routing import Routing
from capability_router.testing import assert_books_balanced, scripted_router

from .figure_result import FigureResult, scaled

CALLS, AT_ONCE, MOST_LATE_S, QUIET_S = 10_000, 40, 0.05, 0.02
WAYS = ("silent", "trickling", "failing", "empty chunks")


class Stalled(Exception):
    fault = Fault("overloaded", status=529)


class StallingAttempt:
    """Never ends by itself, in one of the ways, but for "failing", which does so again and again."""

    keeps_time = False

    def abort(self) -> None:
        """It holds nothing."""

    def __init__(self, way: str) -> None:
        self._way, self._seen = way, ""

    async def achunks(self) -> AsyncIterator[str]:
        if self._way == "silent":
            await asyncio.Event().wait()
        while self._way in ("trickling", "empty chunks"):
            await asyncio.sleep(0.03)
            yield "more " if self._way == "trickling" else ""
        await asyncio.sleep(0.04)
        raise Stalled

    def chunks(self) -> Iterator[str]:
        raise NotImplementedError("only awaited")

    def commits(self, chunk: str) -> bool:
        self._seen += chunk
        return chunk != ""

    def reply(self) -> Reply:
        return Reply(text=self._seen)


class StallingEndpoint:
    """Counts launches after the deadline, which runs from the first one on: nothing is awaited before it."""

    def __init__(self, way: str, deadline_s: float) -> None:
        self._way, self._deadline_s, self._until, self.late_launches = way, deadline_s, float("inf"), 0

    def start(self, launch: Launch) -> StallingAttempt:
        now = time.monotonic()
        if launch.attempt == 1:
            self._until = now + self._deadline_s
        self.late_launches += now > self._until
        return StallingAttempt(self._way)

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, Stalled) else None


def _clocks() -> tuple[float, float]:
    return time.monotonic(), time.thread_time()


class Lateness:
    """Seconds of each call: from its deadline to its return, to its bare timer, and of the processor in between."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.timers: list[float] = []
        self.worked: list[float] = []
        self.late_launches = self.answers = self.early = 0

    async def call(self, router: Router, way: str, deadline_s: float, *, stream: bool) -> None:
        fired: list[tuple[float, float]] = []
        until = time.monotonic() + deadline_s
        timer = asyncio.get_running_loop().call_at(until, lambda: fired.append(_clocks()))
        endpoint: Any = StallingEndpoint(way, deadline_s)
        request = Request(("hi",), stream=stream, routing=Routing(deadline_s=deadline_s))
        try:
            async for _ in router.start(request, endpoint):
                pass
            self.answers += 1
        except AllCandidatesFailed:
            self._returned(until, fired)
        timer.cancel()
        self.late_launches += endpoint.late_launches

    def _returned(self, until: float, fired: list[tuple[float, float]]) -> None:
        now, worked = _clocks()
        if now < until - 0.01:  # every attempt was used up before
            self.early += 1
            return
        then, had_worked = fired[0] if fired else (now, worked)
        self.calls.append(now - until)
        self.timers.append(then - until)
        self.worked.append(worked - had_worked)


async def _measured(calls: int, seed: int) -> Lateness:
    chance, seen = Random(seed), Lateness()
    never_open = {
        "consecutive": 10**9, "failure_rate": 1.0, "min_calls": 10**9, "slow_rate": 1.0, "learns_limits": False,
    }  # fmt: skip  # and none is full: what is measured is how long a call waits for a model, not for its turn
    router = scripted_router(
        {id: ["ok"] for id in "abcd"}, clock=SystemClock(), health=never_open, retry={"wait": {"random": {"max": 1}}}
    )

    async def worker(share: int) -> None:
        for _ in range(share):
            way, deadline_s = chance.choice(WAYS), chance.uniform(0.05, 0.4)
            await seen.call(router, way, deadline_s, stream=chance.random() < 0.7)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker(calls // AT_ONCE))
    assert_books_balanced(router)
    return seen


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    seen = asyncio.run(_measured(scaled(CALLS, scale, 100), seed))
    worst, usual, worked = max(seen.calls), statistics.median(seen.calls), max(seen.worked)
    quiet = max(seen.timers) <= QUIET_S
    kept = worst <= MOST_LATE_S if quiet else max(worked, usual) <= MOST_LATE_S
    busy = "" if quiet else f" (a busy machine: bare timers up to {max(seen.timers) * 1e3:.0f} ms)"
    yield FigureResult(
        "deadline kept",
        f"{len(seen.calls):,} calls returned at most {worst * 1e3:.0f} ms late{busy}, half of them within "
        f"{usual * 1e3:.0f} ms, after at most {worked * 1e3:.0f} ms of work; {seen.early:,} more had used up their "
        f"attempts before; {seen.late_launches} launched after it",
        f"<= {MOST_LATE_S * 1e3:.0f} ms in {CALLS:,} calls, no launch after it",
        kept and not seen.late_launches and not seen.answers, str(seed),
    )  # fmt: skip
