"""Scores a share of the answers with an evaluator, after they were returned: no request waits for it.

An awaited evaluator runs in the event loop of its request, because its clients belong there. Any other, and one for a
blocking request, runs in a thread. It runs without the caller's context, but under routing terms for its own calls of
this or another router: the tenant, the data rules of the text, and a tag under which its calls are booked and capped.
The evaluator's own calls are not evaluated.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Condition, RLock
from typing import Any, Protocol

from capability_router.clock import Clock
from capability_router.concurrency import process_hooks
from capability_router.concurrency.longest_wait import at_most
from capability_router.errors import BudgetExceeded
from capability_router.evaluation.answer import RecordingEndpoint
from capability_router.evaluation.counts import Counts
from capability_router.evaluation.evaluator import Evaluator
from capability_router.evaluation.grade import Scale, Ungraded, graded
from capability_router.evaluation.loop_thread import LoopThread, in_thread
from capability_router.execution.endpoint import Endpoint
from capability_router.execution.run import Run
from capability_router.policies.buckets import bucket_of
from capability_router.request import Outcome, Request
from capability_router.routing import EVALUATION_TAG, apart, evaluating

Ended = Callable[[Run[Any]], None]
Teach = Callable[[float], bool]
"""Takes the score of one answer; False: the score is no longer of use."""

_LOOK_S = 0.01  # between two looks at what waits for room
_GRACE_S = 5.0  # seconds for an abandoned evaluation to end
log = logging.getLogger("capability_router")
_within: ContextVar[bool] = ContextVar("capability_router_evaluating", default=False)


class EvaluationSettings(Protocol):
    """The settings: `share` of answers, 0 to 1; `at_once` under way, `waiting` beside them; seconds for each; scale."""

    @property
    def share(self) -> float: ...
    @property
    def at_once(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def deadline_s(self) -> float: ...
    @property
    def scale(self) -> Scale | None: ...


@dataclass(eq=False, slots=True)
class _Item:
    """One answer to evaluate, in `loop`; `outcome` once it has been given."""

    request: Request
    kept: RecordingEndpoint[Any]
    teach: Teach
    loop: asyncio.AbstractEventLoop
    run: Run[Any] | None = None
    outcome: Outcome | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Evaluation(process_hooks.ProcessHooks):
    """Thread-safe. The garbage collector may end a request, so handing an answer in never waits."""

    def __init__(self, evaluator: Evaluator, terms: EvaluationSettings, seed: int | None, clock: Clock) -> None:
        self._evaluator, self._terms, self._seed, self._clock = evaluator, terms, seed, clock
        self._loop_thread, self._counts = LoopThread(), Counts()
        self._line: deque[_Item] = deque()
        self._under_way: set[_Item] = set()
        self._changed = Condition(RLock())
        self._spent_until = 0.0  # Unix seconds: before that its cap leaves no room
        self._most = terms.at_once  # lower while those under way hold what its cap has left
        self._inside = 0  # threads with a blocking evaluation, abandoned ones included
        process_hooks.watch(self)

    def marked(self, request: Request) -> Request:
        """The request; with the evaluator's tag if the evaluator makes it, whatever tags are set inside."""
        terms = request.routing
        if not _within.get() or EVALUATION_TAG in terms.tags:
            return request
        return replace(request, routing=replace(terms, tags=(*terms.tags, EVALUATION_TAG)))

    def takes(self, request: Request, *, paired: bool = False) -> bool:
        """Whether the answer is to be evaluated: it is in the share, or `paired` with a shadow's."""
        if EVALUATION_TAG in request.routing.tags:
            return False
        return paired or bucket_of(request, "evaluation", self._seed, sticky=False) < self._terms.share

    def watching(
        self, request: Request, endpoint: Endpoint[Any], ended: Ended, teach: Teach
    ) -> tuple[Endpoint[Any], Ended]:
        """The endpoint and the end callback of a request whose answer is to be evaluated."""
        try:
            loop = self._loop()
        except RuntimeError:  # no more threads can be started, or the process is ending
            self._counts.failed("no_thread", "has no thread to work in; none can be started now")
            return endpoint, ended
        kept: RecordingEndpoint[Any] = RecordingEndpoint(endpoint)
        item = _Item(request, kept, teach, loop)
        return kept, partial(self._ended, item, ended)

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._evaluator.awaited:
            try:
                return asyncio.get_running_loop()
            except RuntimeError:  # the request is not awaited
                pass
        return self._loop_thread.loop()

    def _ended(self, item: _Item, ended: Ended, run: Run[Any]) -> None:
        ended(run)
        outcome = run.outcome
        if outcome is None or not outcome.ok:
            return
        if self._clock.unix() < self._spent_until:
            self._counts.note("over_budget")
            return
        item.run, item.outcome = run, outcome
        with self._changed:
            full = len(self._line) >= self._terms.waiting and len(self._under_way) >= self._most
            if not full:
                self._line.append(item)
        if full:
            self._counts.dropped(self._terms.waiting)
        self._begin()

    def _begin(self) -> None:
        """Start as many as may run at once."""
        with self._changed:
            for left in [each for each in self._under_way if each.loop.is_closed()]:
                self._leave(left)
            if not self._line and not self._under_way:
                self._most = self._terms.at_once
            while self._line and len(self._under_way) < self._most:
                item = self._line.popleft()
                self._under_way.add(item)
                try:
                    item.loop.call_soon_threadsafe(self._start, item)
                except RuntimeError:  # its loop is closed
                    self._leave(item)

    def _leave(self, item: _Item) -> None:
        self._under_way.discard(item)
        self._counts.note("left")

    def _start(self, item: _Item) -> None:
        context = apart(evaluating(item.request.routing, self._terms.deadline_s))
        context.run(_within.set, True)
        item.task = asyncio.get_running_loop().create_task(self._judged(item), context=context)
        item.task.add_done_callback(partial(self._over, item))

    async def _judged(self, item: _Item) -> None:
        score = await self._score(item)
        if score is not None:
            self._counts.note("scored" if item.teach(score) else "too_late")

    async def _score(self, item: _Item) -> float | None:
        counts = self._counts
        try:
            async with asyncio.timeout(self._terms.deadline_s):
                score = graded(await self._asked(item), self._terms.scale)
        except Ungraded as error:
            counts.failed(error.why, str(error))
        except BudgetExceeded as error:
            self._over_budget(item, error)
        except Exception as error:  # noqa: BLE001 - an evaluator may raise anything; the answer was returned anyway
            counts.failed(type(error).__name__, f"raised {type(error).__name__}")
        else:
            if score is None:
                counts.note("no_opinion")
            return score
        return None

    def _over_budget(self, item: _Item, error: BudgetExceeded) -> None:
        """If it is the evaluator's cap that is spent, stop. If others under way hold what is left, fewer run at once,
        and the answer is evaluated after one of them.
        """
        if error.scope == f"tag:{EVALUATION_TAG}":
            if error.passing and self._again(item):
                return
            if not error.passing:
                self._spent_until = _moment(error.resets_at)
        self._counts.note("over_budget")

    def _again(self, item: _Item) -> bool:
        """Queue it once more, with less room beside it; False: it had been alone."""
        with self._changed:
            alone = self._most == 1
            self._most = max(min(self._most, len(self._under_way)) - 1, 1)
            if not alone:
                self._line.appendleft(item)
        return not alone

    async def _asked(self, item: _Item) -> Any:
        if item.run is None or item.outcome is None:
            return None
        answer = item.kept.answer(item.run, item.outcome)
        ask = partial(self._evaluator.ask, item.request, answer)
        given = ask() if self._evaluator.awaited else await self._in_thread(ask)
        try:
            return await given if inspect.isawaitable(given) else given
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():  # given up, or its loop is about to end
                raise
            raise Ungraded("CancelledError", "raised CancelledError") from error

    def _in_thread(self, ask: Callable[[], Any]) -> asyncio.Future[Any]:
        """A thread can't be ended from outside, so hanging evaluators may hold as many threads again as may run at
        once.
        """
        with self._changed:
            if self._inside >= 2 * self._terms.at_once:
                raise Ungraded("hangs", f"has not come back from {self._inside} answers: no other is begun before")
            self._inside += 1

        def counted() -> Any:
            try:
                return ask()
            finally:
                self._release_slot()

        try:
            return in_thread(copy_context(), counted)
        except RuntimeError:  # it never started
            self._release_slot()
            raise Ungraded("no_thread", "has no thread to work in; none can be started now") from None

    def _release_slot(self) -> None:
        with self._changed:
            self._inside -= 1

    def _over(self, item: _Item, task: asyncio.Task[None]) -> None:
        with self._changed:
            self._under_way.discard(item)
            self._changed.notify_all()
        if task.cancelled():  # its loop is about to end
            self._counts.note("left", 1 + self._drop(item.loop))
        elif (error := task.exception()) is not None:
            log.error("a score could not be learned from: %s", type(error).__name__)
        self._begin()

    # -- ends -------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe: how many wait and run, and the results by kind."""
        with self._changed:
            now = {"waiting": len(self._line), "under_way": len(self._under_way)}
        return {**now, **self._counts.to_dict()}

    async def settled(self) -> None:
        """Wait until those in the running loop are over."""
        loop = asyncio.get_running_loop()
        while not _within.get() and (mine := self._of(loop)):
            tasks = [item.task for item in mine if item.task is not None]
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(_LOOK_S)

    def close(self) -> None:
        """Wait for those in threads, as long as one of them may take. (Those in an event loop end with it.)"""
        if _within.get():  # an evaluation itself calls this
            return
        own = self._loop_thread.known
        with self._changed:
            if own is not None:
                self._changed.wait_for(lambda: not self._of(own), at_most(self._terms.deadline_s + _GRACE_S))
        if own is not None:
            self._counts.note("left", self._drop(own))
        self._loop_thread.stop()

    def _drop(self, loop: asyncio.AbstractEventLoop) -> int:
        """Start none of those that wait for this loop; returns their number."""
        with self._changed:
            left = [item for item in self._line if item.loop is loop]
            for item in left:
                self._line.remove(item)
        return len(left)

    def _of(self, loop: asyncio.AbstractEventLoop) -> list[_Item]:
        with self._changed:
            return [item for item in (*self._under_way, *self._line) if item.loop is loop]

    def at_exit(self) -> None:
        """The process ends: no score is waited for."""
        left = len(self._line) + len(self._under_way)
        if left:
            log.info("%d answers were not evaluated before the process ended; router.close() waits for them", left)

    def after_fork(self) -> None:
        """What waits belongs to the parent."""
        self._loop_thread.forget()
        self._counts, self._line, self._under_way = Counts(), deque(), set()
        self._inside, self._most = 0, self._terms.at_once
        self._changed = Condition(RLock())


def _moment(told: str | None) -> float:
    """Unix seconds; infinity if there is no such time."""
    return math.inf if told is None else datetime.fromisoformat(told).timestamp()
