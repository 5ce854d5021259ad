"""Exact books in a file: what a later process reads there is what the providers billed, to the picodollar.

First in virtual time, in every weather, with calls that are cut and requests that are given up; then from real
threads and event loops that share one file through two routers. Read back by a ledger that has seen none of it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from capability_router.clock import Clock, SystemClock
from capability_router.execution.effects import Launch
from capability_router.money.ledger.dimension import DIMENSIONS
from capability_router.money.ledger.journal import Journal
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.ledger.total import Total
from capability_router.request import Usage
from capability_router.router import Router
from capability_router.stores.opening import open_store
from capability_router.testing import assert_books_balanced, scripted_router

from .figure_result import FigureResult, scaled
from .fleet import simulated
from .threads import IDS, LOOPS, THREADS, InstantAttempt, ThreadEndpoint, all_at_once

SEEDS, EACH = 50, 1_000
REQUESTS = 100_000


def reopened(path: Path) -> Ledger:
    """What a process that comes later sees."""
    clock: Clock = SystemClock()
    room = open_store(f"sqlite:///{path}", clock).calls
    assert room is not None
    return Ledger(books=Journal(room, unix=clock.unix))


def pico(total: Total) -> int:
    """What was booked and not estimated."""
    return int((total.cost_usd - total.estimated_usd).scaleb(12))


class BilledCaller(ThreadEndpoint):
    """A provider that bills another amount for each answer."""

    def __init__(self, router: Router, seed: int) -> None:
        super().__init__(router, seed)
        self._sizes = Random(seed + 1)
        self.calls = self.bill = 0

    def start(self, launch: Launch) -> InstantAttempt:
        attempt = super().start(launch)
        self.calls += 1
        if not attempt._fault:
            into, out = self._sizes.randint(1, 10**6), self._sizes.randint(1, 10**5)
            attempt.used = Usage(into, out)
            self.bill += into * 10**6 + out * 2 * 10**6  # at the prices of scripted_router
        return attempt


def in_weather(seeds: range, folder: Path) -> tuple[int, int, int]:
    """Calls booked, picodollars billed, picodollars of difference."""
    calls = billed = error = 0
    for seed in seeds:
        path = folder / f"{seed}.db"
        sim = simulated(seed, EACH, ledger={"store": f"sqlite:///{path}"})
        sim.router.close()
        found, bill = reopened(path), sum(p.billed for p in sim.providers.values())
        total = found.total()
        assert total.calls == sim.witness.launches, f"seed {seed}: {total.calls} calls, {sim.witness.launches} launches"
        error += abs(pico(total) - bill) + _unlike(found, total)
        calls, billed = calls + total.calls, billed + bill
    return calls, billed, error


def _unlike(ledger: Ledger, total: Total) -> int:
    """Picodollars by which the totals along any dimension, or the single calls, differ from the whole."""
    whole = int(total.cost_usd.scaleb(12))
    sums = [sum(int(t.cost_usd.scaleb(12)) for t in ledger.total(by=(name,)).values()) for name in (*DIMENSIONS, "day")]
    sums.append(sum(call.cost_pico or 0 for call in ledger.each_call()))
    return max(abs(found - whole) for found in sums)


def from_threads(requests: int, seed: int, path: Path) -> tuple[int, int, int]:
    """The same, from real threads and event loops."""
    settings: dict[str, Any] = {"clock": SystemClock(), "retry": {"wait": "none"}, "store": f"sqlite:///{path}"}
    routers = [scripted_router({id: ["ok"] for id in IDS}, **settings) for _ in range(2)]
    callers = [BilledCaller(routers[n % 2], seed * 1_000 + n) for n in range(THREADS + LOOPS)]
    each = -(-requests // len(callers))
    work: list[Callable[[], object]] = [lambda c=c: c.call(each) for c in callers[:THREADS]]  # type: ignore[misc]  # a default binds the loop's value
    work += [lambda c=c: asyncio.run(c.acall(each)) for c in callers[THREADS:]]  # type: ignore[misc]  # as above
    all_at_once(work)
    for router in routers:
        assert_books_balanced(router)
        router.close()
    ledger = reopened(path)
    total, calls, bill = ledger.total(), sum(c.calls for c in callers), sum(c.bill for c in callers)
    assert total.calls == calls, f"{calls} calls, {total.calls} booked"
    assert not any(router.ledger.dropped for router in routers), "calls were dropped"
    return calls, bill, abs(pico(total) - bill) + _unlike(ledger, total)


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    seeds = range(seed, seed + scaled(SEEDS, scale))
    requests = scaled(REQUESTS, scale, 1_000)
    target = "0 picodollars"
    with tempfile.TemporaryDirectory() as folder:
        calls, billed, error = in_weather(seeds, Path(folder))
        yield FigureResult(
            "exact books in a file, every weather",
            f"{error} picodollars of {billed / 1e12:,.2f} USD beside the bills of {calls:,} calls of "
            f"{len(seeds) * EACH:,} requests, by every dimension and call by call",
            target, error == 0, f"{seeds.start}-{seeds.stop - 1}",
        )  # fmt: skip
        calls, billed, error = from_threads(requests, seed, Path(folder) / "threads.db")
        yield FigureResult(
            "exact books in a file, threads and loops",
            f"{error} picodollars of {billed / 1e12:,.2f} USD beside the bills of {calls:,} calls of {requests:,} "
            f"requests from {THREADS} threads and {LOOPS} event loops over two routers and one file",
            target, error == 0, str(seed),
        )  # fmt: skip
