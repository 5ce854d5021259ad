"""Figure 14, thread-safe: many threads and event loops on one router; every counter must be exact afterwards.

Real threads, the system's clock, no I/O: the models draw lots. What they drew is counted apart from the
router, each thread for itself, and compared at the end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from capability_router.clock import SystemClock
from capability_router.errors import RouterError
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.money.price import usd
from capability_router.request import Finish, Reply, Request, Usage
from capability_router.router import Router
from capability_router.testing import assert_books_balanced, scripted_router

from .figure_result import FigureResult, scaled
from .ground.drawn import DrawnAttempt, DrawnFault

THREADS, LOOPS, CALLS, CAP_S = 64, 4, 5_000, 60.0
IDS = ("a", "b", "c", "d")
FAULTS = ("overloaded", "server_error", "connection", "bad_request")
USED = Usage(10, 3)
PICO = 10 * 1_000_000 + 3 * 2_000_000  # of an answer, at the prices of scripted_router


class InstantAttempt(DrawnAttempt):
    """An answer at once, or a fault."""

    used = USED

    def __init__(self, fault: str) -> None:
        self._fault, self._done = fault, False

    def chunks(self) -> Iterator[str]:
        if self._fault:
            raise DrawnFault(Fault(self._fault, status=500))
        yield "text"
        self._done = True

    def reply(self) -> Reply:
        return Reply(self.used, Finish.STOP, "text") if self._done else Reply()


class ThreadEndpoint:
    """One thread's or loop's endpoint: draws each call's fate and counts it."""

    def __init__(self, router: Router, seed: int) -> None:
        self.router, self._chance = router, Random(seed)
        self.fates: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[str] = Counter()

    def start(self, launch: Launch) -> InstantAttempt:
        fate = self._chance.choice(FAULTS) if self._chance.random() < 0.1 else ""
        self.fates[launch.candidate.id, fate] += 1
        return InstantAttempt(fate)

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, DrawnFault) else None

    def call(self, calls: int) -> None:
        for n in range(calls):
            try:
                list(self.router.start(Request(("hi",), stream=bool(n % 2)), self))
            except RouterError as error:
                self.errors[type(error).__name__] += 1

    async def acall(self, calls: int) -> None:
        for n in range(calls):
            try:
                run = self.router.start(Request(("hi",), stream=bool(n % 2)), self)
                [chunk async for chunk in run]
            except RouterError as error:
                self.errors[type(error).__name__] += 1


def all_at_once(work: list[Callable[[], object]]) -> float:
    """Seconds until all have ended; raises AssertionError when one hasn't within the cap."""
    gate = threading.Barrier(len(work) + 1)

    def held(job: Callable[[], object]) -> None:
        gate.wait()
        job()

    running = [threading.Thread(target=held, args=(job,), daemon=True) for job in work]
    for thread in running:
        thread.start()
    gate.wait()
    began = time.monotonic()
    for thread in running:
        thread.join(max(began + 10 * CAP_S - time.monotonic(), 0.0))
    assert not any(thread.is_alive() for thread in running), "a thread hangs"
    return time.monotonic() - began


def checked(router: Router, callers: list[ThreadEndpoint]) -> int:
    """The calls made; raises AssertionError for the first counter that is wrong."""
    fates = sum((caller.fates for caller in callers), Counter[tuple[str, str]]())
    assert_books_balanced(router)
    assert router.board.settled_twice == 0
    total, calls = router.ledger.total(), sum(fates.values())
    assert total.calls == calls, f"{calls} calls, {total.calls} booked"
    answered = sum(count for (_, fate), count in fates.items() if not fate)
    assert total.cost_usd - total.estimated_usd == usd(answered * PICO), "the ledger's sum is wrong"
    for row in router.health():
        mine = {fate: fates[row["model"], fate] for fate in ("", *FAULTS)}
        assert row["calls"] == sum(mine.values()), f"{row['model']}: {row['calls']} permits, {mine}"
        assert row["answered"] == mine[""] + mine["bad_request"], f"{row['model']}: answered {row['answered']}, {mine}"
        assert row["failed"] == sum(mine[f] for f in FAULTS[:3]), f"{row['model']}: failed {row['failed']}, {mine}"
    return calls


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    calls = scaled(CALLS, scale)
    budgets: Any = [{"scope": "global", "limit_usd": 10_000}]
    cards = {"a": {"limits": {"concurrency": 40}}, "b": {"limits": {"rpm": 10**6, "tpm": 10**9}}}
    router = scripted_router(
        {id: ["ok"] for id in IDS}, cards=cards, clock=SystemClock(), policy={"name": "adaptive", "seed": seed},
        budgets=budgets, retry={"wait": "none"},
    )  # fmt: skip
    callers = [ThreadEndpoint(router, seed * 1_000 + n) for n in range(THREADS + LOOPS)]
    work: list[Callable[[], object]] = [lambda c=c: c.call(calls) for c in callers[:THREADS]]  # type: ignore[misc]  # a default binds the loop's value
    work += [lambda c=c: asyncio.run(c.acall(calls)) for c in callers[THREADS:]]  # type: ignore[misc]  # as above
    wrong, made, took, worked = "", 0, 0.0, time.process_time()
    try:
        took = all_at_once(work)
        worked = time.process_time() - worked
        made = checked(router, callers)
    except AssertionError as error:
        wrong = str(error)
    errors = sum((caller.errors for caller in callers), Counter[str]())
    yield FigureResult(
        "thread-safe",
        wrong or f"{len(work) * calls:,} requests and {made:,} calls in {took:.0f} s ({worked:.0f} s of work) from "
        f"{THREADS} threads and {LOOPS} event loops: ledger, budgets, permits and health exact; {dict(errors)}",
        f"exact, no deadlock, <= {CAP_S:g} s", not wrong and took <= CAP_S, str(seed),
    )  # fmt: skip
