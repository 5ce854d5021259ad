"""The state machine of one request. It has no clock, lock, await or I/O.

Theory of operation
-------------------
A driver feeds it events and performs the effects that `feed` returns. Each event carries its time.

    waiting --Launch--> running --ChunkArrived--> delivering --Completed--> over
       ^                   |                          |
       '---- next target --'  Faulted, AlarmRang      '-- Faulted --> over, with the partial text

* Fallback: before a stream's first chunk with content, a fault leads to another target, as far as the fault's row in
  `faults.kinds` allows. The first chunk with content commits the stream: after it no other target is tried.
* A whole (unary) reply is judged when it is complete. It does not commit before.
* Hedging, if on: when an attempt stays silent for too long, a second attempt starts on another target. The first of
  the two that commits or completes is the answer, and the other is aborted. If one fails, the other goes on alone.
  So it does if one rejects the request or withholds its answer (a filter): that decides only if the other fails, too.
* If a budget's money must first be borrowed from a store, the machine returns Fund. The driver performs it and then
  feeds Funded.
* Each launch holds a permit of the health board and an open line in the books. `_settle` is the only place that
  gives them back, exactly once.
* Retry: a target is tried again only when no untried target is usable, at most `per_target` times, within the retry
  budget and after its back-off.
* When the breakers of all targets are open, the one that closes soonest is called in spite of its breaker. So is a
  retry that is due, within the retry budget, if no target is free in time.
* A poor reply (empty, malformed, without a terminal reason) is kept. If no other attempt does better, it is delivered,
  as it would have been without a router. From then on a target is waited for a second at most. But a stream that ends
  malformed after it committed raises StreamInterrupted: a framework would take half a tool call for a whole one. A
  stream whose caller sees itself that its answer doesn't fit, or that its tool call can't be read, ends as it would
  without a router.
* Resuming, if on: an answer that breaks off after it committed is continued from its text so far by another target
  that supports this, chosen by the same rules. If that attempt fails before its first content, the next target is
  tried. If no target can continue, the answer ends with StreamInterrupted.
* A stream that breaks after its terminal reason is complete, and so is one that was filtered before any content.
* After Conclude, `feed` returns nothing.

All transitions are decided here. This file knows no provider and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableSet
from operator import attrgetter
from typing import Any, Protocol

from capability_router.concurrency.wakeup import Wakeup
from capability_router.execution.admission import Admission
from capability_router.execution.attempt_in_flight import AttemptInFlight
from capability_router.execution.bookkeeper import Bookkeeper, verdict
from capability_router.execution.effects import Abort, Conclude, Deliver, Effect, Fund, Launch, SetAlarm
from capability_router.execution.events import (
    NEVER_ASKED,
    AlarmRang,
    Began,
    Cancelled,
    ChunkArrived,
    Completed,
    Event,
    Faulted,
    Funded,
    Replies,
    SentLate,
)
from capability_router.execution.execution_limits import ExecutionLimits
from capability_router.execution.hedge import Hedging
from capability_router.execution.outcome_texts import (
    InterruptedAnswer,
    failure,
    interrupted,
    rejected,
    skipped_reason,
    summed,
    together,
    why,
)
from capability_router.execution.target_selector import AdmittedTarget, TargetSelector, TargetWait
from capability_router.execution.wait_allowance import WaitAllowance
from capability_router.faults.completeness import judge
from capability_router.faults.kinds import Fault
from capability_router.health.board import Permit, Verdict
from capability_router.health.permit import UNSENT
from capability_router.plan import Candidate, Plan
from capability_router.request import AttemptRecord, Finish, Outcome, Reply, Usage

NOTHING: tuple[Effect, ...] = ()
_NOT_YET = Reply()
_INDEX = attrgetter("index")
_NO_ALARM = (SetAlarm(None),)
_NO_END = (None, Finish.OTHER, Finish.ERROR, Finish.OVERLOADED, Finish.MALFORMED_CALL)
"""No terminal reason, one that may be the failure itself, and those that are."""
_UNUSABLE = ("malformed_tool_call", "unparsable")
"""Kinds of fault that make an answer unusable even if its stream has committed."""
_WITHHELD = (Finish.CONTENT_FILTER, Finish.REFUSAL)
"""Terminal reasons that are an answer even without content."""
_BEATEN = "cancelled: attempt {} was faster"
_NOTHING_SEEN = Verdict(ok=False, neutral=True)
_EARLY_S = 0.001  # an alarm may ring up to this much too early
_ENDLESS = float("inf")


class PermitSettler(Protocol):
    """The part of the health board that ending an attempt needs."""

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def note_limits(self, id: str, headers: Mapping[str, str], now: float, sent_at: float) -> None: ...


class Execution:
    """The state machine of one request. Its rules are in the module's docstring."""

    __slots__ = (
        "_admission", "_answered", "_books", "_brought", "_cut", "_deadline", "_faults", "_final", "_gate", "_givers",
        "_hedge_at", "_hedging", "_limits", "_parts", "_plan", "_poor", "_prefix", "_records", "_runs", "_start",
        "_targets", "_until", "_waits", "_whole_givers", "committed", "hedged_after", "launched", "over", "reply",
        "streaming",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, limits: ExecutionLimits, targets: TargetSelector, gate: PermitSettler, books: Bookkeeper,
        streaming: bool, finish_reason_models: MutableSet[str], unary_reason_models: MutableSet[str],
        hedging: Hedging | None = None, brought: Collection[str] = (),
        prepared_s: float = 0.0,
    ) -> None:  # fmt: skip
        self._plan, self._limits, self._targets, self._gate, self._books = plan, limits, targets, gate, books
        self.streaming, self._hedging, self._brought = streaming, hedging, brought
        self._givers, self._whole_givers = finish_reason_models, unary_reason_models
        self._admission = Admission(targets, books)
        self._cut: Fault | None = None  # why the last part of the answer broke off
        self._runs: dict[int, AttemptInFlight] = {}
        self._records: dict[int, AttemptRecord] = {}
        self._faults: list[Fault] = []
        self._final: Fault | None = None  # after it no further target is tried
        self._poor: tuple[AttemptInFlight, Reply] | None = None
        self._answered: Candidate | None = None
        self._start, self._deadline = -prepared_s, _ENDLESS
        self._waits = WaitAllowance(limits.max_wait_s)
        self._until: float | None = None  # when to look for a target again
        self._hedge_at: float | None = None
        self._prefix = ""  # the text that the interrupted attempts gave
        self._parts: list[int] = []  # the numbers of these attempts
        self.launched = 0
        self.committed: int | None = None
        self.hedged_after: float | None = None  # of the answering attempt
        self.over: Conclude | None = None
        self.reply = _NOT_YET  # of the answering attempt

    @property
    def candidate(self) -> Candidate | None:
        """The candidate that answers; None until it is known."""
        run = self._runs.get(self.committed or 0)
        return run.candidate if run else self._answered

    @property
    def begun(self) -> tuple[int, str]:
        """The number of interrupted attempts before the one that continues the answer, and the text they gave."""
        return len(self._parts), self._prefix

    @property
    def records(self) -> list[AttemptRecord]:
        """The ended attempts, in launch order."""
        records = list(self._records.values())
        return sorted(records, key=_INDEX) if len(records) > 1 else records

    @property
    def wakeup(self) -> Wakeup | None:
        """Set while the request waits in the queue. When it fires, the driver feeds AlarmRang early."""
        return self._targets.wakeup

    @property
    def races(self) -> bool:
        """Whether two attempts may be in flight at once."""
        return self._hedging is not None

    def feed(self, event: Event) -> tuple[Effect, ...]:
        """Take in one event; returns what the driver must do, in order."""
        if self.over is not None:
            return NOTHING
        effects = _TRANSITIONS[type(event)](self, event)
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
        self._start += at
        self._waits.idle(at)
        if self._limits.deadline_s is not None:
            self._deadline = self._start + self._limits.deadline_s
        return self._next(at)

    def _funded(self, event: Funded) -> tuple[Effect, ...]:
        return self._next(event.at)

    def _next(self, at: float) -> tuple[Effect, ...]:
        if self.launched >= self._limits.attempts or at >= self._deadline:
            return self._give_up(at)
        answered = self._poor is not None and self.committed is None
        latest = min(self._deadline, self._waits.latest(answered=answered))
        pick: AdmittedTarget | TargetWait | Fund | None = self._admission.pick(at, latest, self.launched + 1)
        if isinstance(pick, TargetWait):
            if pick.look is not None:
                self._until = min(pick.look, latest)
                return NOTHING
            refused = answered or self._limits.elsewhere
            pick = None if refused else self._admission.beyond_learned_limit(at, self.launched + 1)
        if isinstance(pick, AdmittedTarget):
            self._waits.over(at)
            return self._launch(at, pick.candidate, pick.permit, self._faults[-1].kind if self._faults else "")
        if pick is None:
            return self._give_up(at)
        pick.until = self._deadline
        return (pick,)

    def _launch(
        self, at: float, candidate: Candidate, permit: Permit, after: str, hedged_after: float | None = None
    ) -> tuple[Effect, ...]:
        self.launched += 1
        index, clocks = self.launched, self._limits.timeouts_within(self._deadline - at)
        permit.whole = not self.streaming
        self._runs[index] = AttemptInFlight(index, candidate, permit, at, clocks, hedged_after)
        if self.committed is not None:
            self.committed = index
        elif self._hedging is not None and hedged_after is None:
            delay = self._hedging.delay_s(candidate.id, self._plan.input_tokens, whole=permit.whole)
            self._hedge_at = None if delay is None else at + delay
        elsewhere = self._limits.elsewhere or (index < self._limits.attempts and self._targets.others)
        moves = index == 1 or self._targets.moves(candidate)
        return (Launch(index, candidate, clocks, after, self._prefix, elsewhere, moves),)

    def _sent_late(self, event: SentLate) -> tuple[Effect, ...]:
        run = self._runs.get(event.attempt)
        if run is not None:
            late_s = run.restart(event.at, self._limits.timeouts_within(self._deadline - event.at))
            self._hedge_at = None if self._hedge_at is None else self._hedge_at + late_s
        return NOTHING

    def _hedge(self, at: float) -> tuple[Effect, ...]:
        """Start a second attempt in another failure domain, if one is free and the hedging and money budgets allow."""
        self._hedge_at, hedging = None, self._hedging
        if hedging is None or self.launched >= self._limits.attempts or len(self._runs) != 1:
            return NOTHING
        (silent,) = self._runs.values()
        elsewhere = self._targets.elsewhere(at, silent.candidate.id, hedging.budget)
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
        return (*self._commit_attempt(run, event.at, event.others), Deliver(run.index))

    def _commit_attempt(self, run: AttemptInFlight, at: float, others: Replies) -> tuple[Effect, ...]:
        """Make this attempt the answer: abort the others and hedge no more, not even when the answer is resumed."""
        self.committed, self.hedged_after, self._hedge_at = run.index, run.hedged_after, None
        if len(self._runs) < 2:
            return NOTHING
        beaten = [other for other in self._runs.values() if other is not run]
        for other in beaten:
            self._targets.spared(other.candidate)
        return self._aborted(beaten, at, others)

    def _aborted(self, runs: list[AttemptInFlight], at: float, replies: Replies) -> tuple[Effect, ...]:
        if not runs:
            return NOTHING
        run, *rest = runs
        try:
            self._settle(run, at, None, replies.get(run.index, Reply()), cancelled=True)
        finally:  # what the books raise of one must not cost the model of the next a place
            aborted = self._aborted(rest, at, replies)
        return (Abort(run.index), *aborted)

    def _completed(self, event: Completed) -> tuple[Effect, ...]:
        run, reply = self._runs.get(event.attempt), event.reply
        if run is None:
            return NOTHING
        name = run.candidate.id
        if reply.finish is not None:
            (self._givers if self.streaming else self._whole_givers).add(name)
        gives = name in self._givers or (not self.streaming and name in self._whole_givers)
        alone = len(self._runs) == 1 or not reply.empty
        fault = judge(
            reply, streaming=self.streaming, gives_reason=gives,
            on_content_filter=self._limits.on_content_filter if alone else "fallback",
        )  # fmt: skip
        begun = self.committed is not None and run.first_at is not None
        shown = begun and reply.mismatch_streamed and fault is not None and fault.kind in _UNUSABLE
        if fault is not None and not shown and (not begun or fault.row.blame == "breaker" or fault.kind in _UNUSABLE):
            whole = fault.row.blame == "quality" or (fault.kind == "truncated" and not self.streaming)
            whole = whole or self._limits.keeps(fault)
            return self._faulted(event.at, run.index, fault, reply, event.others, whole=whole)
        late = NOTHING if begun else (Deliver(run.index),)
        aborted = self._commit_attempt(run, event.at, event.others)
        self._settle(run, event.at, fault if shown else None, reply)
        self.reply = reply
        return (*aborted, *late, *self._end(event.at, run.candidate, None))

    def _raised(self, event: Faulted) -> tuple[Effect, ...]:
        fault = event.fault.attributed(self._brought) if self._brought else event.fault
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
        if whole and self._better(fault, reply):
            self._poor = (run, reply)
        if fault.row.other == "no" or self._limits.keeps(fault):
            self._final = self._final or fault
        else:
            self._targets.failed(run.candidate, fault, at)
        if self._runs:  # the other attempt may still answer
            return NOTHING
        return self._next(at) if self._final is None else self._decided(at, self._final)

    def _better(self, fault: Fault, reply: Reply) -> bool:
        """Whether this reply is better than the poor one that is kept. None is better than one that is withheld."""
        if self._poor is None or self._limits.keeps(fault):
            return True
        withheld = self._final is not None and self._limits.keeps(self._final)
        return not withheld and self._poor[1].empty and not reply.empty

    def _decided(self, at: float, final: Fault) -> tuple[Effect, ...]:
        """No further target is tried, because of this fault: it is told as the last one."""
        self._faults.sort(key=lambda fault: fault is final)
        return self._give_up(at)

    def _broken_off(self, at: float, run: AttemptInFlight, fault: Fault, reply: Reply) -> tuple[Effect, ...]:
        """The committed attempt failed: resume the answer on another target, or raise to the caller."""
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
        """Whether another target may continue the answer. `silent`: this attempt failed before its first content.

        A silent one may fail in any way: another model has begun to answer, so the request itself is valid.
        """
        whole = reply.tool_calls or reply.malformed_tool_calls or not self._prefix.strip()
        if whole or self._limits.keeps(fault) or rejected(fault) is not None:
            return False
        return silent or fault.row.blame == "breaker"

    def _interrupted(self, at: float) -> Exception:
        begun = self._parts[0]
        records = [r for r in self.records if r.index >= begun and r.fault != "cancelled"]
        cut = InterruptedAnswer(self._cut or self._faults[-1], self._prefix, frozenset(self._parts))
        left = self._targets.left(f"within {self._limits.attempts} attempts")
        return interrupted(records, cut, self._limits, at - self._start, left)

    def _alarm(self, event: AlarmRang) -> tuple[Effect, ...]:
        at, effects = event.at, NOTHING
        if not self._runs:
            return self._next(at)
        for run in self._overdue(at):
            if run.index not in self._runs:  # the one before had its whole answer, so this one was aborted
                continue
            reply = event.replies.get(run.index, Reply())
            fault = run.timed_out(at, event.late_s, by_reader=event.by_reader)
            effects = (*effects, Abort(run.index), *self._faulted(at, run.index, fault, reply, event.replies))
        if self._hedge_at is not None and at >= self._hedge_at - _EARLY_S:
            effects = (*effects, *self._hedge(at))
        return effects

    def _overdue(self, at: float) -> list[AttemptInFlight]:
        """The attempts that have timed out. A committed one has at any alarm: the driver times the next token."""
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
        asking = self._admission.asking
        error = failure(records, self._faults, self._targets, self._limits, self._books.tenant, at, elapsed, asking)
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
            self._plan.task,
        )
        self.over = Conclude(outcome, error)
        self._faults.clear()  # their exceptions refer to frames that refer to this machine: a reference cycle,
        self._cut = self._final = None  # which would stay in memory until the garbage collector runs
        return (self.over,)

    def _why(self, records: list[AttemptRecord], answer: AttemptRecord | None) -> str:
        planned = self._targets.degraded() if self._targets.denials else self._plan.reason
        if answer is None:
            return planned
        if not self._targets.denials:
            planned = skipped_reason(self._plan.candidates[0].id, answer.model, self._targets.held_by) or planned
        cut = self._records[self._parts[-1]] if self._parts else None
        return why(planned, records, answer, self.hedged_after, cut)

    def _settle(
        self, run: AttemptInFlight, at: float, fault: Fault | None, reply: Reply, *, cancelled: bool = False
    ) -> None:
        """End one attempt: give back its permit, close its line in the books and record it. Nothing else does."""
        del self._runs[run.index]
        self._waits.idle(at)
        elapsed = at - run.started
        ttft = run.first_at - run.started if self.streaming and run.first_at is not None else None
        index, candidate = run.index, run.candidate
        model = candidate.id
        seen = UNSENT if reply is NEVER_ASKED else _NOTHING_SEEN
        try:
            usage, cost = self._books.close(
                index, candidate, fault, reply, had_content=run.first_at is not None, cancelled=cancelled
            )
            if not cancelled:
                seen = verdict(fault, reply.usage, usage, ttft, elapsed, not self.streaming)
        finally:  # what the books raise must not cost the model a place
            self._gate.settle(run.permit, seen, at)
            self._targets.freed(model)
        # A cancellation may come from the garbage collector, so it must not wait.
        # What a call brings has limits of its own.
        if reply.headers and not cancelled and not self._brought:
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


_TRANSITIONS: Mapping[type[Event], Callable[[Execution, Any], tuple[Effect, ...]]] = {
    Began: Execution._began, ChunkArrived: Execution._chunk, Completed: Execution._completed,
    Faulted: Execution._raised, Cancelled: Execution._cancelled, AlarmRang: Execution._alarm,
    Funded: Execution._funded, SentLate: Execution._sent_late,
}  # fmt: skip
