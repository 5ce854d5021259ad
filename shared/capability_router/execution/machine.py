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
* Each launch holds a permit of the gate and an open line in the books, and gives each back exactly
  once, whatever happens: `_settle` is the only place.
* A target that was tried is tried again only when no fresh one is usable, at most `per_target` times,
  within the retry budget, after its back-off.
* When every target is held by its breaker, the least bad is forced: an answer may still come.
* A reply that is merely poor (empty, malformed) is kept; when nothing better is found it is delivered,
  as it would have been without a router.
* After Finish, `feed` returns nothing.

Everything that decides a transition lives here; this file knows no provider and no framework.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSet
from typing import Protocol

from capability_router.errors import AllCandidatesFailed, BudgetExceeded, RouterBusy, RouterError, StreamInterrupted
from capability_router.execution.books import Books, verdict
from capability_router.execution.effects import Abort, Deliver, Effect, Finish, Launch, SetAlarm, Timeouts
from capability_router.execution.events import (
    AlarmRang,
    Began,
    Cancelled,
    ChunkArrived,
    Completed,
    Event,
    Faulted,
)
from capability_router.execution.limits import Limits
from capability_router.execution.targets import Targets, Wait
from capability_router.faults.completeness import judge
from capability_router.faults.kinds import Fault
from capability_router.health.board import Permit, Verdict
from capability_router.money.price import usd
from capability_router.plan import Candidate, Plan
from capability_router.request import AttemptRecord, Outcome, Reply, Usage

NOTHING: tuple[Effect, ...] = ()


class Settles(Protocol):
    """The gate as far as ending an attempt needs it."""

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def note_limits(self, id: str, headers: Mapping[str, str], now: float) -> None: ...


class Running:
    """The attempt in flight."""

    __slots__ = ("candidate", "first_at", "index", "permit", "started", "timeouts")

    def __init__(self, index: int, candidate: Candidate, permit: Permit, started: float, timeouts: Timeouts) -> None:
        self.index, self.candidate, self.permit = index, candidate, permit
        self.started, self.timeouts = started, timeouts
        self.first_at: float | None = None


class Execution:
    """The machine of one request. See the module's text for its theory."""

    __slots__ = (
        "_answered", "_books", "_deadline", "_faults", "_gate", "_givers", "_idle_since", "_limits",
        "_plan", "_poor", "_run", "_start", "_targets", "committed", "over", "records", "reply", "streaming",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, limits: Limits, targets: Targets, gate: Settles, books: Books, *,
        streaming: bool, reason_givers: MutableSet[str],
    ) -> None:  # fmt: skip
        self._plan, self._limits, self._targets, self._gate, self._books = plan, limits, targets, gate, books
        self.streaming, self._givers = streaming, reason_givers
        self._run: Running | None = None
        self._faults: list[Fault] = []
        self._poor: tuple[int, Candidate, Reply] | None = None
        self._answered: Candidate | None = None
        self._start, self._deadline = 0.0, float("inf")
        self._idle_since = 0.0  # since when no attempt is in flight
        self.committed: int | None = None
        self.over: Finish | None = None
        self.reply = Reply()  # of the attempt that answers
        self.records: list[AttemptRecord] = []

    @property
    def candidate(self) -> Candidate | None:
        """Who answers, once known."""
        if self._answered is not None:
            return self._answered
        return self._run.candidate if self._run and self._run.index == self.committed else None

    def feed(self, event: Event) -> tuple[Effect, ...]:
        """The only door."""
        if self.over is not None:
            return NOTHING
        kind = type(event)
        if kind is ChunkArrived:
            return self._chunk(event.at)
        if kind is Completed:
            return self._completed(event)  # type: ignore[arg-type]  # narrowed by `kind`
        if kind is Faulted:
            return self._faulted(event.at, event.fault, event.reply)  # type: ignore[union-attr]  # narrowed by `kind`
        if kind is Began:
            return self._began(event.at)
        return self._alarm(event) if isinstance(event, AlarmRang) else self._cancelled(event)  # type: ignore[arg-type]  # the last kind left

    # -- transitions ------------------------------------------------------------------------------

    def _began(self, at: float) -> tuple[Effect, ...]:
        self._start = self._idle_since = at
        if self._limits.deadline_s is not None:
            self._deadline = at + self._limits.deadline_s
        return self._next(at)

    def _next(self, at: float) -> tuple[Effect, ...]:
        if len(self.records) >= self._limits.attempts or at >= self._deadline:
            return self._give_up(at)
        pick = self._targets.pick(at)
        while not isinstance(pick, Wait):
            denial = self._books.open(len(self.records) + 1, pick.candidate)
            if denial is None:
                return self._launch(at, pick.candidate, pick.permit)
            self._targets.denied(pick.permit, pick.candidate, denial, at)
            pick = self._targets.pick(at)
        latest = min(self._deadline, self._idle_since + self._limits.max_wait_s)
        return self._give_up(at) if pick.until is None or pick.until > latest else (SetAlarm(pick.until),)

    def _launch(self, at: float, candidate: Candidate, permit: Permit) -> tuple[Effect, ...]:
        index, clocks = len(self.records) + 1, self._limits.timeouts
        left = self._deadline - at
        total = left if clocks.total is None else min(clocks.total, left)
        timeouts = clocks._replace(total=None if total == float("inf") else total)
        self._run = Running(index, candidate, permit, at, timeouts)
        after = self._faults[-1].kind if self._faults else ""
        return (Launch(index, candidate, timeouts, after), SetAlarm(self._first_alarm(at, timeouts)))

    def _first_alarm(self, at: float, timeouts: Timeouts) -> float | None:
        first = timeouts.first_token if self.streaming else None
        limits = [at + limit for limit in (timeouts.total, first) if limit is not None]
        return min(limits) if limits else None

    def _chunk(self, at: float) -> tuple[Effect, ...]:
        run = self._run
        if run is None or run.first_at is not None:
            return NOTHING
        run.first_at = at
        if not self.streaming:
            return NOTHING
        self.committed = run.index
        total = run.timeouts.total
        return (Deliver(run.index), SetAlarm(None if total is None else run.started + total))

    def _completed(self, event: Completed) -> tuple[Effect, ...]:
        run, reply = self._run, event.reply
        if run is None:
            return NOTHING
        name = run.candidate.id
        if reply.finish is not None:
            self._givers.add(name)
        fault = judge(
            reply, streaming=self.streaming, gives_reason=name in self._givers,
            on_content_filter=self._limits.on_content_filter,
        )  # fmt: skip
        if fault is not None and (self.committed is None or fault.kind == "truncated"):
            return self._faulted(event.at, fault, reply, whole=fault.row.blame == "quality")
        self._settle(event.at, None, reply)
        return self._deliver(event.at, run.index, run.candidate, reply)

    def _faulted(self, at: float, fault: Fault, reply: Reply, *, whole: bool = False) -> tuple[Effect, ...]:
        run = self._run
        if run is None:
            return NOTHING
        self._faults.append(fault)
        self._settle(at, fault, reply)
        if self.committed is not None:
            return self._end(at, None, self._interrupted(fault, reply))
        if whole and self._poor is None:
            self._poor = (run.index, run.candidate, reply)
        other = fault.row.other
        if other == "no" or (other == "if_allowed" and not self._may_move_on(fault)):
            return self._give_up(at)
        self._targets.failed(run.candidate, fault, at)
        return self._next(at)

    def _may_move_on(self, fault: Fault) -> bool:
        return fault.kind not in ("content_filtered", "refusal") or self._limits.on_content_filter == "fallback"

    def _alarm(self, event: AlarmRang) -> tuple[Effect, ...]:
        run = self._run
        if run is None:
            return self._next(event.at)
        clock = self._which_clock(run, event.at)
        fault = Fault("timeout", f"after {event.at - run.started:.2f} s", clock=clock)
        return (Abort(run.index), *self._faulted(event.at, fault, event.reply))

    def _which_clock(self, run: Running, at: float) -> str:
        total = run.timeouts.total
        if total is not None and at >= run.started + total - 1e-6:
            return "whole answer"
        return "first token" if run.first_at is None else "next token"

    def _cancelled(self, event: Cancelled) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = NOTHING
        if self._run is not None:
            effects = (Abort(self._run.index),)
            self._settle(event.at, None, event.reply, cancelled=True)
        return (*effects, *self._end(event.at, None, None))

    # -- endings ----------------------------------------------------------------------------------

    def _deliver(self, at: float, index: int, candidate: Candidate, reply: Reply) -> tuple[Effect, ...]:
        late = NOTHING if self.committed == index else (Deliver(index),)
        self.committed, self.reply = index, reply
        return (*late, *self._end(at, candidate, None))

    def _give_up(self, at: float) -> tuple[Effect, ...]:
        if self._poor is not None:
            index, candidate, self.reply = self._poor
            self.committed = index
            return (Deliver(index), *self._end(at, candidate, None))
        return self._end(at, None, self._failure(at))

    def _failure(self, at: float) -> RouterError:
        if not self.records:
            return self._nothing_sent(at)
        advice = self._targets.advice(at, self._limits)
        if self._faults[-1].row.other == "no":
            advice = "No other model was tried: the same request fails everywhere; mend the request."
        elif at >= self._deadline:
            advice = f"The deadline of {self._limits.deadline_s:g} s is over; raise deadline_s. {advice}".strip()
        failures = [r for r in self.records if r.fault]
        error = AllCandidatesFailed(
            failures, tenant=self._books.tenant, elapsed_s=at - self._start, advice=advice
        )  # fmt: skip
        error.__cause__ = next((f.error for f in self._faults if f.error is not None), None)
        return error

    def _nothing_sent(self, at: float) -> RouterError:
        denials = self._targets.denials
        if denials:
            told = "; ".join(f"{model}: {denial.told}" for model, denial in denials.items())
            return BudgetExceeded(
                f"the budget leaves no room for this request; nothing was sent. {told}",
                scope=next(iter(denials.values())).scope,
                left_usd=usd(max(0, *(denial.left for denial in denials.values()))),
            )
        late = at >= self._deadline
        why = f"the deadline of {self._limits.deadline_s:g} s is over" if late else "no model is free"
        mend = "deadline_s" if late else "limits.concurrency or retry.max_wait_s"
        return RouterBusy(
            f"{why} ({self._targets.told_held(at)}). Waited {at - self._start:.1f} s; nothing was sent. "
            f"Raise {mend}, or add a model."
        )

    def _interrupted(self, fault: Fault, reply: Reply) -> StreamInterrupted:
        error = StreamInterrupted([self.records[-1]], tenant=self._books.tenant)
        error.partial = reply.text
        error.__cause__ = fault.error
        return error

    def _end(self, at: float, candidate: Candidate | None, error: RouterError | None) -> tuple[Effect, ...]:
        self._answered = candidate
        answer = self.records[(self.committed or len(self.records)) - 1] if self.records else None
        outcome = Outcome(
            request_id=self._plan.request_id,
            model=candidate.id if candidate else None,
            provider=candidate.provider if candidate else "",
            attempts=tuple(self.records),
            reason=self._why(candidate, answer),
            policy=self._plan.policy,
            cost_pico=_summed([r.cost_pico for r in self.records]),
            elapsed_s=at - self._start,
            ttft_s=answer.ttft_s if answer and candidate else None,
            usage=answer.usage if answer else Usage(),
            finish=self.reply.finish,
        )
        self.over = Finish(outcome, error)
        return (self.over,)

    def _why(self, candidate: Candidate | None, answer: AttemptRecord | None) -> str:
        if not self._faults or candidate is None or answer is None:
            return self._plan.reason
        first = self.records[0]
        if answer.fault:
            return f"nothing better was found: {answer.model} {answer.detail}"
        if first.model == candidate.id:
            return f"again after: {first.detail}"
        return f"fallback: {first.model} {first.detail}"

    def _settle(self, at: float, fault: Fault | None, reply: Reply, *, cancelled: bool = False) -> None:
        """Give back the permit and close the line in the books: the one place where a launch ends."""
        run = self._run
        if run is None:
            return
        self._run, self._idle_since = None, at
        elapsed = at - run.started
        ttft = None if run.first_at is None else run.first_at - run.started
        self._gate.settle(run.permit, verdict(fault, reply, cancelled, ttft, elapsed), at)
        if reply.headers and not cancelled:  # a cancellation may come from the garbage collector: it may not wait
            self._gate.note_limits(run.candidate.id, reply.headers, at)
        usage, cost = self._books.close(
            run.index, run.candidate, fault, reply, had_content=run.first_at is not None, cancelled=cancelled
        )
        self.records.append(
            AttemptRecord(
                index=run.index, model=run.candidate.id, provider=run.candidate.provider,
                fault=fault.kind if fault else "cancelled" if cancelled else None,
                detail=fault.told if fault else "cancelled" if cancelled else "",
                started_s=run.started - self._start, elapsed_s=elapsed, ttft_s=ttft, usage=usage,
                cost_pico=cost, finish=reply.finish,
            )
        )  # fmt: skip


def _summed(costs: list[int | None]) -> int | None:
    """None as soon as one part is unknown: an unknown cost is not zero."""
    return sum(c for c in costs if c is not None) if None not in costs else None
