"""Figure 5, deadlines kept: real asyncio calls over models that stall in every way, on the system's clock."""

from __future__ import annotations

import asyncio
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

from .finding import Finding, scaled

CALLS, AT_ONCE, MOST_LATE_S = 10_000, 100, 0.05
WAYS = ("silent", "trickling", "failing", "empty chunks")


class Stalled(Exception):
    fault = Fault("overloaded", status=529)


class Attempt:
    """Never ends by itself, in one of the ways, but for "failing", which does so again and again."""

    keeps_time = False

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


class Endpoint:
    """Counts launches after the deadline."""

    def __init__(self, way: str, deadline: float) -> None:
        self._way, self._deadline, self.late_launches = way, deadline, 0

    def start(self, launch: Launch) -> Attempt:
        self.late_launches += time.monotonic() > self._deadline
        return Attempt(self._way)

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, Stalled) else None


class Lateness:
    """Seconds beyond the deadline, of the calls and of bare timers beside them."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.timers: list[float] = []
        self.late_launches = self.answers = 0

    async def call(self, router: Router, way: str, deadline_s: float, *, stream: bool) -> None:
        until = time.monotonic() + deadline_s
        endpoint: Any = Endpoint(way, until)
        request = Request(("hi",), stream=stream, routing=Routing(deadline_s=deadline_s))
        try:
            async for _ in router.start(request, endpoint):
                pass
            self.answers += 1
        except AllCandidatesFailed:
            self.calls.append(time.monotonic() - until)
        self.late_launches += endpoint.late_launches

    async def timer(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        await asyncio.sleep(seconds)
        self.timers.append(time.monotonic() - until)


async def _measured(calls: int, seed: int) -> Lateness:
    chance, seen, room = Random(seed), Lateness(), asyncio.Semaphore(AT_ONCE)
    never_open = {"consecutive": 10**9, "failure_rate": 1.0, "min_calls": 10**9, "slow_rate": 1.0}
    router = scripted_router(
        {id: ["ok"] for id in "abcd"}, clock=SystemClock(), health=never_open, retry={"wait": {"random": {"max": 1}}}
    )

    async def one() -> None:
        deadline_s = chance.uniform(0.05, 0.4)
        async with room:
            await seen.call(router, chance.choice(WAYS), deadline_s, stream=chance.random() < 0.7)

    async with asyncio.TaskGroup() as group:
        for n in range(calls):
            group.create_task(one())
            if n % 50 == 0:
                group.create_task(seen.timer(0.1 + n * 0.2 / AT_ONCE))
    assert_books_balanced(router)
    return seen


def measure(scale: float, seed: int) -> Iterator[Finding]:
    seen = asyncio.run(_measured(scaled(CALLS, scale, 100), seed))
    ranked = sorted(seen.calls)
    worst, usual = ranked[-1], ranked[int(len(ranked) * 0.99)]
    early = sum(late < -0.05 for late in ranked)  # failed before it: all attempts were used up
    yield Finding(
        "deadline kept",
        f"{len(ranked):,} calls ({early:,} had used up their attempts before) returned at most {worst * 1e3:.0f} ms "
        f"after it, 99 % within {usual * 1e3:.0f} ms (bare timers beside them: {max(seen.timers) * 1e3:.0f} ms); "
        f"{seen.late_launches} launched after it",
        f"<= {MOST_LATE_S * 1e3:.0f} ms in {CALLS:,} calls, no launch after it",
        worst <= MOST_LATE_S and not seen.late_launches and not seen.answers, str(seed),
    )  # fmt: skip
