"""Carries out a run: the requests arrive, the real router decides and calls, and everything is recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from capability_router.clock import drawing
from capability_router.eligibility import OUT_OF_USE
from capability_router.errors import (
    AllCandidatesFailed,
    BudgetExceeded,
    NoEligibleModel,
    RouterBusy,
    RouterError,
    StreamInterrupted,
)
from capability_router.health.board import HealthEvent
from capability_router.money.budget.denial import BudgetEvent
from capability_router.rehearsal.call import SimulatedEndpoint
from capability_router.rehearsal.configuration import Configuration
from capability_router.rehearsal.result import (
    AttemptResult,
    BudgetAlert,
    HealthSample,
    HealthTransition,
    RequestResult,
    RunRecord,
)
from capability_router.rehearsal.script.fault_schedule import FaultSchedule, ScheduledFault
from capability_router.rehearsal.simulated_fleet import SimulatedFleet, SpeedProfile
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.traffic.traffic import Traffic
from capability_router.rehearsal.virtual_time import LoopClock, VirtualLoop
from capability_router.router import Router

LOOKS = 240
"""How many times in a run the models' states are recorded."""
_STATES = {"open": "open", "half_open": "half", "isolated": "off"}
_HELD_BY = {
    "rate_limit": "limited", "learned_limit": "full", "disabled": "off", "probing": "off", "degraded": "doubted",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """The inputs of a run. `done` is called for each ended request."""

    config: Configuration
    traffic: Traffic
    voices: Mapping[str, SpeedProfile]
    spells: tuple[ScheduledFault, ...]
    seed: int
    done: Callable[[int], None]


def play(scene: Scenario) -> RunRecord:
    """The traffic through the router, under the scene's faults."""
    return carried_out(scene, lambda clock, cast: _RoutedRun(scene, clock, cast).all())


def carried_out(scene: Scenario, play: Callable[[LoopClock, SimulatedFleet], Awaitable[RunRecord]]) -> RunRecord:
    """Run `play` in its own event loop, with a fixed random seed and without log output."""
    loop = VirtualLoop()
    clock = LoopClock(loop, scene.traffic.unix_s)
    cast = SimulatedFleet(
        scene.config.registry.cards, scene.voices, FaultSchedule(scene.spells, scene.seed), clock, scene.seed
    )

    async def whole() -> RunRecord:
        return await play(clock, cast)

    with _silence(), drawing(scene.seed), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(whole())


async def send_arrivals(
    tasks: asyncio.TaskGroup,
    scene: Scenario,
    clock: LoopClock,
    one: Callable[[int, RequestShape], Coroutine[Any, Any, None]],
) -> None:
    """Begins each request of the traffic at its time."""
    for number, shape in enumerate(scene.traffic.shapes):
        left = shape.at - clock.now()
        if left > 0:
            await asyncio.sleep(left)
        tasks.create_task(one(number, shape))


_rehearsing: ContextVar[bool] = ContextVar("capability_router_rehearsing", default=False)


@contextmanager
def _silence() -> Iterator[None]:
    """What a router would log of simulated providers is in the result; other routers in this process are heard."""

    def heard(_: logging.LogRecord) -> bool:
        return not _rehearsing.get()

    log, mark = logging.getLogger("capability_router"), _rehearsing.set(True)
    log.addFilter(heard)
    try:
        yield
    finally:
        log.removeFilter(heard)
        _rehearsing.reset(mark)


class _RoutedRun:
    def __init__(self, scene: Scenario, clock: LoopClock, cast: SimulatedFleet) -> None:
        self._scene, self._clock, self._cast = scene, clock, cast
        self._record = RunRecord(scene.traffic.seconds)
        self._router = Router(scene.config.registry, settings=scene.config.settings, clock=clock)
        self._router.on_health(self._changed)
        self._router.on_budget(self._capped)
        self._left = len(scene.traffic.shapes)

    async def all(self) -> RunRecord:
        """Until the last request is over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            await send_arrivals(tasks, self._scene, self._clock, self._one)
        self._record.rows.sort(key=lambda row: row.at)
        return self._record

    async def _one(self, number: int, shape: RequestShape) -> None:
        name = str(number)
        request, endpoint = shape.request(name), SimulatedEndpoint(self._cast, shape, name, self._clock)
        began, run, error = self._clock.now(), None, None
        try:
            run = self._router.start(request, endpoint)
            async for _ in run:
                pass
        except RouterError as raised:
            error = raised
        self._record.rows.append(_row(shape, run, error, began))
        self._left -= 1
        self._scene.done(1)

    async def _look(self) -> None:
        """Record the models' states from time to time."""
        step = max(self._record.seconds / LOOKS, 0.05)
        while self._left:
            now = self._clock.now()
            if now <= self._record.seconds:
                for row in self._router.health():
                    self._record.looks.append(HealthSample(now, row["model"], _state(row)))
            await asyncio.sleep(step)

    def _changed(self, event: HealthEvent) -> None:
        self._record.changes.append(HealthTransition(event.at, event.model, event.kind, event.detail))

    def _capped(self, event: BudgetEvent) -> None:
        self._record.caps.append(BudgetAlert(self._clock.now(), event.kind, event.told))


def _state(row: Mapping[str, Any]) -> str:
    if row["disabled_why"]:
        return "off"
    if row["held_by"] == "full" and row["state"] == "closed":
        return "full" if _takes_no_more(row) else "limited"
    return _STATES.get(row["state"]) or _HELD_BY.get(row["held_by"], "")


def _takes_no_more(row: Mapping[str, Any]) -> bool:
    """Whether it is by calls at once that it is full, not by those of a minute."""
    return row["concurrency_limit"] is not None and row["in_flight"] >= row["concurrency_limit"]


def _row(shape: RequestShape, run: Any, error: RouterError | None, began: float) -> RequestResult:
    if run is None:
        return RequestResult(shape, "", 0.0, 0, (), *_split(error), "refused", _message(error))
    outcome, plan = run.outcome, run.plan
    tries = tuple(
        AttemptResult(a.model, began + a.started_s, began + a.started_s + a.elapsed_s, a.fault or "")
        for a in outcome.attempts
    )
    rules = {r.model: r.rule for r in plan.refusals}
    able = (*(c.id for c in plan.candidates), *(m for m, rule in rules.items() if rule in OUT_OF_USE))
    return RequestResult(
        shape, outcome.model or "", outcome.elapsed_s, outcome.cost_pico, tries, able,
        {m: rule for m, rule in rules.items() if rule not in OUT_OF_USE}, _why(error), _message(error),
        error.held_by if isinstance(error, (AllCandidatesFailed, RouterBusy)) else {},
    )  # fmt: skip


def _split(error: RouterError | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Of one that no model could take: those that are only out of use, and the others' rules."""
    rules = {r.model: r.rule for r in error.refusals} if isinstance(error, NoEligibleModel) else {}
    able = tuple(m for m, rule in rules.items() if rule in OUT_OF_USE)
    return able, {m: rule for m, rule in rules.items() if rule not in OUT_OF_USE}


_WHYS = ((BudgetExceeded, "budget"), (RouterBusy, "busy"), (StreamInterrupted, "interrupted"))


def _why(error: RouterError | None) -> str:
    if error is None:
        return ""
    return next((why for kind, why in _WHYS if isinstance(error, kind)), "failed")


def _message(error: RouterError | None) -> str:
    return "" if error is None else " ".join(str(error).split())
