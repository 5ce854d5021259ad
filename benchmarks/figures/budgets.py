"""Budgets under load: two routers share caps in one SQLite store; threads and event loops call models that fail.

Real threads, the system's clock; the models draw their tokens and their faults. What each model bills is summed
apart from the routers. Every answer of the store is looked at: no cap may ever be exceeded.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from capability_router.clock import SystemClock
from capability_router.errors import RouterError
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.money.price import Price, usd
from capability_router.request import Finish, Reply, Request, Usage
from capability_router.router import Router
from capability_router.routing import Routing
from capability_router.stores.base import BudgetBalance, BudgetStore, LeaseClaim, LeaseGrant
from capability_router.testing import assert_books_balanced, scripted_router

from .figure_result import FigureResult, scaled
from .ground.drawn import DrawnAttempt, DrawnFault
from .threads import all_at_once

REQUESTS, THREADS, LOOPS, ROUTERS = 100_000, 64, 4, 2
PRICES = {"a": (3, 15), "b": (1, 5), "c": (0.25, 2)}  # USD per million tokens
TURNED_AWAY = ("server_error", "connection")
TENANTS = ("acme", "umbrella", "initech", "")
MOST = 200  # output tokens of a call


class BudgetAttempt(DrawnAttempt):
    """Turned away, or text; then its end, or a break. `bill` hears of what it cost."""

    def __init__(self, fate: str, usage: Usage, bill: Callable[[Usage], None]) -> None:
        self._fate, self._usage, self._bill = fate, usage, bill
        self._reply = Reply()

    def chunks(self) -> Iterator[str]:
        if self._fate in TURNED_AWAY:
            raise DrawnFault(Fault(self._fate, status=500))
        self._bill(self._usage)
        self._reply = Reply(self._usage, None, "text")
        yield "text"
        if self._fate == "cut":
            raise DrawnFault(Fault("connection", "reset", sent=True, started=True))
        self._reply = Reply(self._usage, Finish.STOP, "text")

    def reply(self) -> Reply:
        return self._reply


class WatchedRoom:
    """The store's room, with an eye on each of its answers."""

    inline = False

    def __init__(self, room: BudgetStore) -> None:
        self._room = room
        self.claims = self.exceeded = 0

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        grant = self._room.claim(claim)
        self.claims += 1
        self.exceeded += grant.spent + grant.reserved > claim.pot.limit
        return grant

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        return self._room.standings(budgets)


class BudgetEndpoint:
    """One thread's or loop's endpoint: draws each call's fate, and adds up the bills."""

    def __init__(self, router: Router, seed: int) -> None:
        self.router, self._chance = router, Random(seed)
        self.billed = 0
        self.ends: Counter[str] = Counter()

    def start(self, launch: Launch) -> BudgetAttempt:
        draw = self._chance.random()
        fate = self._chance.choice(TURNED_AWAY) if draw < 0.1 else "cut" if draw < 0.15 else ""
        price = self.router.registry.entry(launch.candidate.id).card.price
        assert price is not None

        def bill(usage: Usage) -> None:
            self.billed += price.cost(usage) or 0

        # No text is free: one that a model bills no token for would be booked as an estimate.
        usage = Usage(1 + int(self._chance.random() * 100), 1 + int(self._chance.random() * (MOST - 1)))
        return BudgetAttempt(fate, usage, bill)

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, DrawnFault) else None

    def _asks(self, n: int) -> Request:
        terms = Routing(tenant=self._chance.choice(TENANTS), tags=("nightly",) if n % 3 else ())
        return Request(("hi",), input_tokens=100, max_tokens=MOST, stream=bool(n % 2), routing=terms)

    def call(self, calls: int) -> None:
        for n in range(calls):
            try:
                for _ in self.router.start(self._asks(n), self):
                    if n % 50 == 0:
                        break  # a caller that goes away; its stream is closed at once
                self.ends["ended"] += 1
            except RouterError as error:
                self.ends[type(error).__name__] += 1

    async def acall(self, calls: int) -> None:
        for n in range(calls):
            try:
                [chunk async for chunk in self.router.start(self._asks(n), self)]
                self.ends["ended"] += 1
            except RouterError as error:
                self.ends[type(error).__name__] += 1


def _router(url: str, seed: int, whole_usd: float) -> tuple[Router, WatchedRoom]:
    budgets: Any = [
        {"scope": "global", "limit_usd": whole_usd, "window": "total"},
        {"scope": "tenant:*", "limit_usd": whole_usd / 3, "on_exceed": "degrade"},
        {"scope": "model:a", "limit_usd": whole_usd / 4, "on_exceed": "degrade"},
        {"scope": "tag:nightly", "limit_usd": whole_usd / 2, "window": "rolling:3600", "on_exceed": "degrade"},
    ]
    cards = {id: {"price": Price(input_mtok=i, output_mtok=o)} for id, (i, o) in PRICES.items()}
    router = scripted_router(
        {id: ["ok"] for id in PRICES}, cards=cards, clock=SystemClock(), policy={"name": "single", "seed": seed},
        budgets=budgets, store=url, retry={"wait": "none"},
        health={"consecutive": 10**6, "min_calls": 10**6, "learns_limits": False},
    )  # fmt: skip
    watched = router.budgets.room = WatchedRoom(router.budgets.room)
    return router, watched


def _checked(routers: list[Router], rooms: list[WatchedRoom], callers: list[BudgetEndpoint]) -> str:
    """What was seen; raises AssertionError for the first promise that was broken."""
    for router in routers:
        assert_books_balanced(router)
        router.close()
    total, other = (router.ledger.total() for router in routers)  # of both, out of the store
    assert total == other, "the routers' ledgers differ"
    booked = int(total.cost_usd * 10**12)
    billed = sum(caller.billed for caller in callers)
    assert booked == billed, f"booked {booked} picodollars, billed {billed}"
    assert not sum(room.exceeded for room in rooms), "a cap was exceeded"
    rows = {row.budget: row for row in rooms[0].standings()}
    assert not any(row.reserved for row in rows.values()), "something is still reserved"
    whole = rows["total|global"]
    assert whole.spent == booked, f"the store knows of {whole.spent} picodollars, booked are {booked}"
    tenants = sum(row.spent for name, row in rows.items() if name.startswith("total|tenant:"))
    assert tenants == booked, "the tenants' spending is not the whole"
    for row in rows.values():
        assert row.spent <= row.limit, f"{row.budget} is overspent"
    share, claims = whole.spent / whole.limit, sum(room.claims for room in rooms)
    return (
        f"{total.calls:,} calls booked ${usd(booked):f}, 0 picodollars beside the bills; {share:.2%} of the cap spent; "
        f"0 reserved at rest; the store was asked {claims:,} times"
    )


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    each = max(scaled(REQUESTS, scale) // (THREADS + LOOPS), 1)
    asked = each * (THREADS + LOOPS)
    wrong = told = ""
    threads = threading.active_count()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'router.db'}"
        made = [_router(url, seed, asked * 0.0005) for _ in range(ROUTERS)]
        routers, rooms = [m[0] for m in made], [m[1] for m in made]
        callers = [BudgetEndpoint(routers[n % ROUTERS], seed * 1_000 + n) for n in range(THREADS + LOOPS)]
        work: list[Callable[[], object]] = [lambda c=c: c.call(each) for c in callers[:THREADS]]  # type: ignore[misc]  # a default binds the loop's value
        work += [lambda c=c: asyncio.run(c.acall(each)) for c in callers[THREADS:]]  # type: ignore[misc]  # as above
        try:
            took = all_at_once(work)
            told = _checked(routers, rooms, callers)
        except AssertionError as error:
            wrong = str(error)
    ends = sum((caller.ends for caller in callers), Counter[str]())
    assert threading.active_count() < threads + THREADS, "threads were left behind"
    yield FigureResult(
        "budgets",
        wrong or f"{asked:,} requests over {ROUTERS} routers in {took:.0f} s ({dict(sorted(ends.items()))}): {told}",
        "error 0 picodollars, no cap exceeded, 0 reserved at rest", not wrong, str(seed),
    )  # fmt: skip
