"""One request carried out: a state machine without clock, lock, await or I/O.

Theory of operation
-------------------
`feed(event) -> effects` is the only door; time comes in with the events.

    waiting --Launch--> running --ChunkArrived--> delivering --Completed--> over
       ^                   |                          |
       '---- next target --'  Faulted, AlarmRang      '-- Faulted --> over, with the partial text

* Before the first chunk with content, any fault is followed by another target, as the fault's row in
  `faults.kinds` allows. That chunk commits: from then on no other target is tried.
* A whole (unary) reply never commits early; it is judged when it is complete.
* Where hedging is on, an attempt that is silent for too long gets a second one beside it, elsewhere. The
  first that commits, or completes well, is the answer; the other is aborted. One that fails leaves the
  other to go on alone.
* A launch whose money a store has to lend waits for the driver, which performs Fund and says Funded.
* Each launch holds a permit of the gate and an open line in the books, and gives each back exactly
  once, whatever happens: `_settle` is the only place.
* A target that was tried is tried again only when no fresh one is usable, at most `per_target` times,
  within the retry budget, after its back-off.
* When every target is held by its breaker, the least bad is forced: an answer may still come.
* A reply that is merely poor (empty, malformed, without a terminal reason) is kept; when nothing better is found it
  is delivered, as it would have been without a router. A stream that ends malformed after its commitment is told as
  broken off: half a tool call, put together by a framework, would pass for a whole one.
* Where resuming is on, an answer that breaks off after its commitment is continued, from the text so far, by
  a target that can do that, chosen by the same rules. What such an attempt gives is held until its first content:
  one that fails before it is followed by the next. Without such a target the answer ends as any other.
* A stream that broke after its terminal reason was whole, also one that was filtered before its first content.
* After Conclude, `feed` returns nothing.

Everything that decides a transition lives here; this file knows no provider and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableSet
from operator import attrgetter
from typing import Any, Protocol

from capability_router.concurrency.wakeup import Wakeup
from capability_router.execution.admission import Admission
from capability_router.execution.bookkeeper import Bookkeeper, verdict
from capability_router.execution.effects import Abort, Conclude, Deliver, Effect, Fund, Launch, SetAlarm, Timeouts
from capability_router.execution.endings import Cut, failure, interrupted, rejected, summed, together, why
from capability_router.execution.events import (
    AlarmRang,
    Began,
    Cancelled,
    ChunkArrived,
    Completed,
    Event,
    Faulted,
    Funded,
    Replies,
)
from capability_router.execution.hedge import Hedging
from capability_router.execution.limits import Limits
from capability_router.execution.running import Running
from capability_router.execution.targets import Pick, Targets, Wait
from capability_router.faults.completeness import judge
from capability_router.faults.kinds import Fault
from capability_router.health.board import Permit, Verdict
from capability_router.plan import Candidate, Plan
from capability_router.request import AttemptRecord, Finish, Outcome, Reply, Usage

NOTHING: tuple[Effect, ...] = ()
_NOT_YET = Reply()
_INDEX = attrgetter("index")
_NO_ALARM = (SetAlarm(None),)
_NO_END = (None, Finish.OTHER, Finish.ERROR, Finish.OVERLOADED, Finish.MALFORMED_CALL)
"""No terminal reason, one that may be the failure itself, and those that are."""
_UNUSABLE = ("malformed_tool_call", "unparsable")
"""What an answer ends with that nobody may go on with as it is, however much of it has been seen."""
_WITHHELD = (Finish.CONTENT_FILTER, Finish.REFUSAL)
"""Ends that are an answer without any content, too."""
_BEATEN = "cancelled: attempt {} was faster"
_NOTHING_SEEN = Verdict(ok=False, neutral=True)
_EARLY_S = 0.001  # an alarm may ring by so much too early
_ENDLESS = float("inf")


class Settles(Protocol):
    """The gate as far as ending an attempt needs it."""

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def note_limits(self, id: str, headers: Mapping[str, str], now: float, sent_at: float) -> None: ...


class Execution:
    """The machine of one request. See the module's text for its theory."""

    __slots__ = (
        "_admission", "_answered", "_books", "_brought", "_cut", "_deadline", "_faults", "_gate", "_givers",
        "_hedge_at", "_hedging", "_idle_since", "_limits", "_parts", "_plan", "_poor", "_prefix", "_records", "_runs",
        "_start", "_targets", "_until", "_whole_givers", "committed", "hedged_after", "launched", "over", "reply",
        "streaming",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, limits: Limits, targets: Targets, gate: Settles, books: Bookkeeper,
        streaming: bool, reason_givers: MutableSet[str], whole_givers: MutableSet[str],
        hedging: Hedging | None = None, brought: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._plan, self._limits, self._targets, self._gate, self._books = plan, limits, targets, gate, books
        self.streaming, self._hedging, self._brought = streaming, hedging, brought
        self._givers, self._whole_givers = reason_givers, whole_givers
        self._admission = Admission(targets, books)
        self._cut: Fault | None = None  # how the last of the answer's parts broke off
        self._runs: dict[int, Running] = {}
        self._records: dict[int, AttemptRecord] = {}
        self._faults: list[Fault] = []
        self._poor: tuple[Running, Reply] | None = None
        self._answered: Candidate | None = None
        self._start, self._deadline = 0.0, _ENDLESS
        self._idle_since = 0.0  # since when no attempt is in flight
        self._until: float | None = None  # when to look for a target again
        self._hedge_at: float | None = None
        self._prefix = ""  # what attempts that broke off have given of the answer
        self._parts: list[int] = []  # which they are
        self.launched = 0
        self.committed: int | None = None
        self.hedged_after: float | None = None  # of the attempt that answers
        self.over: Conclude | None = None
        self.reply = _NOT_YET  # of the attempt that answers

    @property
    def candidate(self) -> Candidate | None:
        """Who answers, once known."""
        run = self._runs.get(self.committed or 0)
        return run.candidate if run else self._answered

    @property
    def begun(self) -> tuple[int, str]:
        """By how many attempts, and how, the answer was begun before the one that goes on with it."""
        return len(self._parts), self._prefix

    @property
    def records(self) -> list[AttemptRecord]:
        """The attempts that have ended, in the order of their launch."""
        records = list(self._records.values())
        return sorted(records, key=_INDEX) if len(records) > 1 else records

    @property
    def wakeup(self) -> Wakeup | None:
        """What may come before the alarm while the request stands in the queue; its driver then lets it ring."""
        return self._targets.wakeup

    @property
    def races(self) -> bool:
        """Whether two attempts may be in flight at once."""
        return self._hedging is not None

    def feed(self, event: Event) -> tuple[Effect, ...]:
        """The only door."""
        if self.over is not None:
            return NOTHING
        effects = _TAKES[type(event)](self, event)  # by its very class: nothing is derived from it
        if self.over is not None or (not effects and type(event) is ChunkArrived):
            return effects
        alarm = self._alarm_at()
        return effects + _NO_ALARM if alarm is None else (*effects, SetAlarm(alarm))

    def _alarm_at(self) -> float | None:
        if not self._runs:
            return self._until
        soonest = self._hedge_at
        for run in self._runs.values():
            end = run.ends_at(streaming=self.streaming)
            if end is not None and (soonest is None or end < soonest):
                soonest = end
        return soonest

    # -- transitions ------------------------------------------------------------------------------

    def _began(self, event: Began) -> tuple[Effect, ...]:
        at = event.at
        self._start = self._idle_since = at
        if self._limits.deadline_s is not None:
            self._deadline = at + self._limits.deadline_s
        return self._next(at)

    def _funded(self, event: Funded) -> tuple[Effect, ...]:
        return self._next(event.at)

    def _next(self, at: float) -> tuple[Effect, ...]:
        if self.launched >= self._limits.attempts or at >= self._deadline:
            return self._give_up(at)
        pick: Pick | Wait | Fund | None = self._admission.pick(at, self.launched + 1)
        if isinstance(pick, Wait):
            latest = min(self._deadline, self._idle_since + self._limits.max_wait_s)
            if pick.turn is not None and pick.turn <= latest:
                self._until = min(pick.look, latest)
                return NOTHING
            pick = None if self._limits.elsewhere else self._admission.over(at, self.launched + 1)
        if isinstance(pick, Pick):
            return self._launch(at, pick.candidate, pick.permit, self._faults[-1].kind if self._faults else "")
        return self._give_up(at) if pick is None else (pick,)

    def _launch(
        self, at: float, candidate: Candidate, permit: Permit, after: str, hedged_after: float | None = None
    ) -> tuple[Effect, ...]:
        self.launched += 1
        index, clocks = self.launched, self._limits.timeouts
        left = self._deadline - at
        if left < _ENDLESS and (clocks.total is None or left < clocks.total):
            clocks = Timeouts(clocks.connect, clocks.first_token, clocks.between_tokens, left, "deadline_s")
        permit.whole = not self.streaming
        self._runs[index] = Running(index, candidate, permit, at, clocks, hedged_after)
        if self.committed is not None:
            self.committed = index
        elif self._hedging is not None and hedged_after is None:
            delay = self._hedging.delay_s(candidate.id, self._plan.input_tokens, whole=permit.whole)
            self._hedge_at = None if delay is None else at + delay
        elsewhere = self._limits.elsewhere or (index < self._limits.attempts and self._targets.others)
        return (Launch(index, candidate, clocks, after, self._prefix, elsewhere),)

    def _hedge(self, at: float) -> tuple[Effect, ...]:
        """A second attempt beside the silent one, if another failure domain, the books and the budget allow."""
        self._hedge_at, hedging = None, self._hedging
        if hedging is None or self.launched >= self._limits.attempts or len(self._runs) != 1:
            return NOTHING
        (silent,) = self._runs.values()
        elsewhere = self._targets.elsewhere(at, silent.candidate.id, hedging.spend)
        pick = self._admission.beside(elsewhere, at, self.launched + 1)
        if pick is None:
            return NOTHING
        return self._launch(at, pick.candidate, pick.permit, "silence", hedged_after=at - silent.started)

    def _chunk(self, event: ChunkArrived) -> tuple[Effect, ...]:
        run = self._runs.get(event.attempt)
        if run is None or run.first_at is not None:
            return NOTHING
        run.first_at = event.at
        if not self.streaming:
            return NOTHING
        run.permit.heard()
        return (*self._won(run, event.at, event.others), Deliver(run.index))

    def _won(self, run: Running, at: float, others: Replies) -> tuple[Effect, ...]:
        """This attempt is the answer: abort the others, and start none beside it, not even beside its continuation."""
        self.committed, self.hedged_after, self._hedge_at = run.index, run.hedged_after, None
        if len(self._runs) < 2:
            return NOTHING
        beaten = [other for other in self._runs.values() if other is not run]
        for other in beaten:
            self._targets.spared(other.candidate)
        return self._aborted(beaten, at, others)

    def _aborted(self, runs: list[Running], at: float, replies: Replies) -> tuple[Effect, ...]:
        for run in runs:
            self._settle(run, at, None, replies.get(run.index, Reply()), cancelled=True)
        return tuple(Abort(run.index) for run in runs)

    def _completed(self, event: Completed) -> tuple[Effect, ...]:
        run, reply = self._runs.get(event.attempt), event.reply
        if run is None:
            return NOTHING
        name = run.candidate.id
        if reply.finish is not None:
            (self._givers if self.streaming else self._whole_givers).add(name)
        gives = name in self._givers or (not self.streaming and name in self._whole_givers)
        fault = judge(
            reply, streaming=self.streaming, gives_reason=gives, on_content_filter=self._limits.on_content_filter
        )
        begun = self.committed is not None and run.first_at is not None
        if fault is not None and (not begun or fault.row.blame == "breaker" or fault.kind in _UNUSABLE):
            whole = fault.row.blame == "quality" or (fault.kind == "truncated" and not self.streaming)
            return self._faulted(event.at, run.index, fault, reply, event.others, whole=whole)
        late = NOTHING if begun else (Deliver(run.index),)
        aborted = self._won(run, event.at, event.others)
        self._settle(run, event.at, None, reply)
        self.reply = reply
        return (*aborted, *late, *self._end(event.at, run.candidate, None))

    def _raised(self, event: Faulted) -> tuple[Effect, ...]:
        fault = event.fault.over(self._brought) if self._brought else event.fault
        return self._faulted(event.at, event.attempt, fault, event.reply, event.others)

    def _faulted(
        self, at: float, attempt: int, fault: Fault, reply: Reply, others: Replies, *, whole: bool = False
    ) -> tuple[Effect, ...]:
        run = self._runs.get(attempt)
        if run is None:
            return NOTHING
        ended = run.first_at is not None and reply.finish not in _NO_END
        if fault.row.blame == "breaker" and (ended or reply.finish in _WITHHELD):
            return self._completed(Completed(at, attempt, reply, others))
        self._faults.append(fault)
        self._settle(run, at, fault, reply)
        if self.committed is not None:
            return self._broken_off(at, run, fault, reply)
        if whole and (self._poor is None or (self._poor[1].empty and not reply.empty)):
            self._poor = (run, reply)
        if fault.row.other == "no" or self._limits.keeps(fault):
            aborted = self._aborted(list(self._runs.values()), at, others)
            return (*aborted, *self._give_up(at))
        self._targets.failed(run.candidate, fault, at)
        return NOTHING if self._runs else self._next(at)

    def _broken_off(self, at: float, run: Running, fault: Fault, reply: Reply) -> tuple[Effect, ...]:
        """The answer that is being given ends too early: go on with it elsewhere, or tell its caller."""
        silent = run.first_at is None
        if not silent:
            self._prefix += reply.text
            self._parts.append(run.index)
            self._cut = fault
        if not self._may_resume(fault, reply, silent=silent):
            return self._end(at, None, rejected(fault) or self._interrupted(at))
        self._targets.failed(run.candidate, fault, at, gave=not silent)
        self._targets.keep_continuing()
        return self._next(at)

    def _may_resume(self, fault: Fault, reply: Reply, *, silent: bool) -> bool:
        """A request that a model has begun to answer is sound: what a further one has against it is its own matter."""
        whole = reply.tool_calls or reply.malformed_tool_calls or not self._prefix.strip()
        if whole or self._limits.keeps(fault) or rejected(fault) is not None:
            return False
        return silent or fault.row.blame == "breaker"

    def _interrupted(self, at: float) -> Exception:
        begun = self._parts[0]
        records = [r for r in self.records if r.index >= begun and r.fault != "cancelled"]
        cut = Cut(self._cut or self._faults[-1], self._prefix, frozenset(self._parts))
        left = self._targets.left(f"within {self._limits.attempts} attempts")
        return interrupted(records, cut, self._limits, at - self._start, left)

    def _alarm(self, event: AlarmRang) -> tuple[Effect, ...]:
        at, effects = event.at, NOTHING
        if not self._runs:
            return self._next(at)
        for run in self._overdue(at):
            if run.index not in self._runs:  # the one before had its whole answer, and beat it
                continue
            reply = event.replies.get(run.index, Reply())
            fault = Fault("timeout", run.told(at, event.late_s), clock=run.clock(at), late_s=event.late_s)
            effects = (*effects, Abort(run.index), *self._faulted(at, run.index, fault, reply, event.replies))
        if self._hedge_at is not None and at >= self._hedge_at - _EARLY_S:
            effects = (*effects, *self._hedge(at))
        return effects

    def _overdue(self, at: float) -> list[Running]:
        """The attempts whose time is over. One that delivers is, at any alarm: the next token's is the driver's."""
        if self.committed is not None:
            return [self._runs[self.committed]]
        ends = [(run, run.ends_at(streaming=self.streaming)) for run in self._runs.values()]
        return [run for run, end in ends if end is not None and at >= end - _EARLY_S]

    def _cancelled(self, event: Cancelled) -> tuple[Effect, ...]:
        aborted = self._aborted(list(self._runs.values()), event.at, event.replies)
        return (*aborted, *self._end(event.at, None, None))

    # -- endings ----------------------------------------------------------------------------------

    def _give_up(self, at: float) -> tuple[Effect, ...]:
        if self.committed is not None:
            return self._end(at, None, self._interrupted(at))
        if self._poor is not None:
            run, self.reply = self._poor
            self.committed, self.hedged_after = run.index, run.hedged_after
            return (Deliver(run.index), *self._end(at, run.candidate, None))
        records, elapsed = self.records, at - self._start
        error = failure(records, self._faults, self._targets, self._limits, self._books.tenant, at, elapsed)
        return self._end(at, None, error)

    def _end(self, at: float, candidate: Candidate | None, error: Exception | None) -> tuple[Effect, ...]:
        self._answered = candidate
        self._admission.leave(at)
        records = self.records
        last = self.launched if self.committed is None else self.committed
        ended = self._records.get(last)
        answer = ended if candidate else None
        parts = self._parts
        usage = ended.usage if ended else Usage()
        outcome = Outcome(
            self._plan.request_id,
            candidate.id if candidate else None,
            candidate.provider if candidate else "",
            tuple(records),
            self._why(records, answer),
            self._plan.policy,
            summed(records),
            at - self._start,
            answer.ttft_s if answer else None,
            together([self._records[i] for i in dict.fromkeys((*parts, last))]) if parts else usage,
            self.reply.finish,
            len(parts) if answer else 0,
            self._plan.canary,
            self._plan.screen,
        )
        self.over = Conclude(outcome, error)
        self._faults.clear()  # their exceptions hold the frames that they came through, and those hold this machine:
        self._cut = None  # a ring, which only the garbage collector would undo
        return (self.over,)

    def _why(self, records: list[AttemptRecord], answer: AttemptRecord | None) -> str:
        planned = self._targets.degraded() if self._targets.denials else self._plan.reason
        if answer is None:
            return planned
        cut = self._records[self._parts[-1]] if self._parts else None
        return why(planned, records, answer, self.hedged_after, cut)

    def _settle(self, run: Running, at: float, fault: Fault | None, reply: Reply, *, cancelled: bool = False) -> None:
        """Give back the permit and close the line in the books: the one place where a launch ends."""
        del self._runs[run.index]
        self._idle_since = at
        elapsed = at - run.started
        ttft = run.first_at - run.started if self.streaming and run.first_at is not None else None
        index, candidate = run.index, run.candidate
        model = candidate.id
        usage, cost = self._books.close(
            index, candidate, fault, reply, had_content=run.first_at is not None, cancelled=cancelled
        )
        seen = _NOTHING_SEEN if cancelled else verdict(fault, reply.usage, usage, ttft, elapsed, not self.streaming)
        self._gate.settle(run.permit, seen, at)
        self._targets.freed(model)
        if reply.headers and not cancelled:  # a cancellation may come from the garbage collector: it may not wait
            self._gate.note_limits(model, reply.headers, at, run.started)
        said = "" if fault is None else fault.told if run.first_at is None else fault.told_begun
        if cancelled:
            said = "cancelled" if self.committed in (None, index) else _BEATEN.format(self.committed)
        self._records[index] = AttemptRecord(
            index, model, candidate.provider,
            fault.kind if fault else "cancelled" if cancelled else None,
            said,
            run.started - self._start, elapsed, ttft, usage, cost, reply.finish,
            fault.window if fault else None,
        )  # fmt: skip


_TAKES: Mapping[type[Event], Callable[[Execution, Any], tuple[Effect, ...]]] = {
    Began: Execution._began, ChunkArrived: Execution._chunk, Completed: Execution._completed,
    Faulted: Execution._raised, Cancelled: Execution._cancelled, AlarmRang: Execution._alarm,
    Funded: Execution._funded,
}  # fmt: skip
