"""The same traffic without a router: one model, called through its provider's own client with its retries.

Like the providers' clients it retries twice after a connection error, a 408, 409, 429 or 5xx: after half a second,
doubled each time up to eight, less up to a quarter at random; or after Retry-After, up to a minute. It does not retry
an answer that has begun.
"""

from __future__ import annotations

import asyncio

from capability_router.eligibility import EligibilityQuery, screen
from capability_router.faults.kinds import Fault
from capability_router.rehearsal.call import SimulatedCall, SimulatedEndpoint
from capability_router.rehearsal.result import AttemptResult, RequestResult, RunRecord
from capability_router.rehearsal.routed_run import Scenario, carried_out, send_arrivals
from capability_router.rehearsal.simulated_fleet import SimulatedFleet
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.virtual_time import LoopClock
from capability_router.simulator.seeded_random import draw

_REPETITIONS, _FIRST_S, _LONGEST_S, _MOST_HINT_S = 2, 0.5, 8.0, 60.0
_AGAIN = frozenset({408, 409, 429})


def run_direct(scene: Scenario, model: str) -> RunRecord:
    """The traffic at this model alone, under the scene's faults."""

    return carried_out(scene, lambda clock, cast: _DirectRun(scene, model, clock, cast).all())


class _DirectRun:
    def __init__(self, scene: Scenario, model: str, clock: LoopClock, cast: SimulatedFleet) -> None:
        self._scene, self._model, self._clock, self._cast = scene, model, clock, cast
        self._card = scene.config.registry.entry(model).card
        self._record = RunRecord(scene.traffic.seconds)

    async def all(self) -> RunRecord:
        async with asyncio.TaskGroup() as tasks:
            await send_arrivals(tasks, self._scene, self._clock, self._one)
        self._record.rows.sort(key=lambda row: row.at)
        return self._record

    async def _one(self, number: int, shape: RequestShape) -> None:
        self._scene.done(1)
        began, refused = self._clock.now(), self._refused(shape)
        if refused:
            self._record.rows.append(
                RequestResult(shape, "", 0.0, 0, (), (), {self._model: refused}, "refused", refused)
            )
            return
        tries, fault, cut = await self._tried(shape, str(number))
        price = self._card.price
        cost = 0 if fault else None if price is None else price.estimate(
            shape.input_tokens, self._cast.out(self._model, shape), 0
        )  # fmt: skip
        why = "" if not fault else "interrupted" if cut else "failed"
        took = self._clock.now() - began
        self._record.rows.append(
            RequestResult(shape, "" if fault else self._model, took, cost, tuple(tries), (self._model,), {}, why, fault)
        )

    def _refused(self, shape: RequestShape) -> str:
        """The rule by which the model can't take the request; "" = it can."""
        asked = shape._replace(deny=(), tenant="").request("")
        ask = EligibilityQuery(asked, shape.input_tokens, int(shape.needs), binding=False)
        found = screen(ask, [self._card], unknown="allow")
        return found.refusals[0].rule if found.refusals else ""

    async def _tried(self, shape: RequestShape, name: str) -> tuple[list[AttemptResult], str, bool]:
        """The attempts, the fault of the last one ("" = answered), and whether it had given a part of an answer."""
        endpoint, tries = SimulatedEndpoint(self._cast, shape, name, self._clock), list[AttemptResult]()
        for attempt in range(1, _REPETITIONS + 2):
            began, call = self._clock.now(), endpoint.call(self._model, attempt)
            fault, given = await self._called(endpoint, call)
            failed = "" if fault is None else fault.kind
            tries.append(AttemptResult(self._model, began, self._clock.now(), failed))
            if fault is None or given or attempt > _REPETITIONS or not _passes(fault):
                return tries, failed, given
            await asyncio.sleep(self._wait_s(fault, name, attempt))
        return tries, "", False

    async def _called(self, endpoint: SimulatedEndpoint, call: SimulatedCall) -> tuple[Fault | None, bool]:
        given = False
        try:
            async for text in call.achunks():
                given = call.commits(text) or given
        except Exception as error:
            fault = endpoint.fault(error)
            if fault is None:
                raise
            return fault, given
        reply = call.reply()
        if reply.finish is None:
            return Fault("truncated"), given
        return (Fault("empty"), given) if reply.empty else (None, given)

    def _wait_s(self, fault: Fault, name: str, repetition: int) -> float:
        hint = fault.retry_after_s
        if hint is not None and 0 < hint <= _MOST_HINT_S:
            return hint
        whole = min(_FIRST_S * 2.0 ** (repetition - 1), _LONGEST_S)
        return whole * (1 - 0.25 * draw(self._scene.seed, "back-off", name, repetition))


def _passes(fault: Fault) -> bool:
    """Whether the client retries after this fault."""
    status = fault.status
    if status is not None:
        return status >= 500 or status in _AGAIN
    return fault.kind in ("connection", "timeout")
