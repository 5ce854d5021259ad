"""A shadow's calls, for paired outcomes. Each is made after the request has ended, and its answer is not shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from functools import partial
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any

from capability_router.assembly.dispatch import Dispatch
from capability_router.clock import Clock
from capability_router.concurrency.latch import Latch
from capability_router.concurrency.process_hooks import ending
from capability_router.errors import RouterError
from capability_router.execution.accounts import Accounts
from capability_router.execution.endpoint import Endpoint
from capability_router.execution.run import Run
from capability_router.plan import Plan
from capability_router.policies.second_policy.shadow import SHADOW_TAG, ShadowDecision
from capability_router.request import Request
from capability_router.telemetry.recorder import Recorder

if TYPE_CHECKING:
    from capability_router.evaluation.evaluation import Evaluation

MOST = 8
"""Calls of shadows under way at once; a sampled request beyond them has none."""
DEADLINE_S = 60.0  # if the request states none
log = logging.getLogger("capability_router")

Again = Callable[[], Endpoint[Any]]
"""Makes another endpoint for the same call, which no handler of the caller's hears of."""


class ShadowCalls:
    """They are booked under a tag of their own, wait behind everybody else, and teach the router nothing but health."""

    def __init__(
        self, accounts: Accounts, dispatch: Dispatch, clock: Clock, recorder: Recorder,
        evaluation: Evaluation | None = None,
    ) -> None:  # fmt: skip
        self._accounts, self._dispatch, self._clock, self._recorder = accounts, dispatch, clock, recorder
        self._evaluation = evaluation
        self._lock = Latch()
        self._under_way: set[Thread | asyncio.Task[None]] = set()

    def after(self, run: Run[Any], aside: ShadowDecision, again: Again) -> None:
        """Make the shadow's call, if this request is to have one; returns at once and raises nothing."""
        if aside.plan is None or not due(run, aside) or ending():
            return
        try:
            self._begin(self._run(run.request, aside.plan, again()))
        except Exception as error:  # noqa: BLE001 - whatever hinders the shadow, the request itself has gone well
            log.warning("a shadow's call could not be made: %s", type(error).__name__)

    def close(self) -> None:
        """Wait for those in threads. (Those in an event loop end with it.)"""
        with self._lock:
            threads = [each for each in self._under_way if isinstance(each, Thread)]
        for thread in threads:
            thread.join()

    async def settled(self) -> None:
        """When those in the running loop are over."""
        loop = asyncio.get_running_loop()
        with self._lock:
            tasks = [each for each in self._under_way if not isinstance(each, Thread) and each.get_loop() is loop]
        if tasks:
            await asyncio.wait(tasks)

    def _run(self, request: Request, plan: Plan, endpoint: Endpoint[Any]) -> Run[Any]:
        own = _as_shadow(request)
        plan = replace(plan, request_id=own.id)
        machine = self._dispatch.machine(own, plan, self._accounts.open(own, plan))
        ended: Callable[[Run[Any]], None] = partial(self._ended, of=request.id)
        if self._evaluation is not None and self._evaluation.takes(request, paired=True):
            teach = partial(self._scored, request.id, own.id)
            endpoint, ended = self._evaluation.watching(own, endpoint, ended, teach)
        return Run(own, plan, machine, endpoint, self._clock, ended)

    def _scored(self, request_id: str, shadow_id: str, score: float) -> bool:
        """An evaluator's score of a shadow's answer: for the comparison; the router learns nothing from it."""
        self._recorder.shadow_scored(request_id, shadow_id, score)
        return True

    def _begin(self, run: Run[Any]) -> None:
        """In a thread, or in the loop that the request was awaited in; without the caller's context either way."""
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            self._under_way = {each for each in self._under_way if _alive(each)}
            if len(self._under_way) >= MOST:
                return
            if loop is None:
                thread = Thread(target=Context().run, args=(self._to_its_end, run), name="router shadow")
                thread.start()
                self._under_way.add(thread)  # before it can be over: that takes the lock
            else:
                task = loop.create_task(self._ato_its_end(run), context=Context())
                self._under_way.add(task)
                task.add_done_callback(self._over)

    def _to_its_end(self, run: Run[Any]) -> None:
        try:
            for _ in run:
                pass
        except Exception as error:  # noqa: BLE001 - no caller waits for it; the record has the error
            _told(error)
        finally:
            self._over(current_thread())

    async def _ato_its_end(self, run: Run[Any]) -> None:
        try:
            async for _ in run:
                pass
        except Exception as error:  # noqa: BLE001 - no caller waits for it; the record has the error
            _told(error)

    def _over(self, done: Thread | asyncio.Task[None]) -> None:
        with self._lock:
            self._under_way.discard(done)

    def _ended(self, run: Run[Any], *, of: str) -> None:
        outcome = run.outcome
        if outcome is not None and outcome.attempts and not _cancelled(run):
            self._recorder.shadowed(of, outcome)


def _alive(call: Thread | asyncio.Task[None]) -> bool:
    """Whether it can still come to its end: a closed loop's can't, nor a thread that a fork left behind."""
    return call.is_alive() if isinstance(call, Thread) else not call.get_loop().is_closed()


def due(run: Run[Any], aside: ShadowDecision) -> bool:
    """Whether the shadow's call is to be made: sampled, with another model first, of a request that may be made twice.

    No stream (it may be the garbage collector that ends one, and nothing may be begun then), nothing within a tool
    loop (the calls answered are another model's), no tool that runs at its provider, no other model's name.
    """
    return will_be_called(run.request, aside) and run.outcome is not None and not _cancelled(run)


def will_be_called(request: Request, aside: ShadowDecision) -> bool:
    """Whether the shadow's call is to be made, unless the request is given up."""
    twice = not (request.stream or request.in_tool_loop or request.follows or request.provider_tools or request.model)
    return aside.sampled and aside.differs and twice


def _cancelled(run: Run[Any]) -> bool:
    """Whether the request was given up before its end."""
    outcome = run.outcome
    return outcome is None or any(attempt.fault == "cancelled" for attempt in outcome.attempts)


def _as_shadow(request: Request) -> Request:
    terms = request.routing
    own = replace(terms, tags=(*terms.tags, SHADOW_TAG), priority="batch", deadline_s=terms.deadline_s or DEADLINE_S)
    return replace(request, id=f"{request.id}-shadow", routing=own)


def _told(error: Exception) -> None:
    level = logging.DEBUG if isinstance(error, RouterError) else logging.WARNING
    log.log(level, "a shadow's call ended with %s", type(error).__name__)
